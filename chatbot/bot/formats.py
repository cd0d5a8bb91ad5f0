"""From a file to checked dialogues: YAML and JSON corpora as ChatterBot's, CSV, TSV and JSON Lines.

Files are read line by line and never held as a whole, but for JSON. YAML is read as events, not as values: a line is
then the text that stands there (`Yes` stays "Yes", not True), knows its number, and nothing in the file can make an
object or grow through aliases.
"""

import csv
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, NoReturn

import yaml
from chatterbot.constants import STATEMENT_TEXT_MAX_LENGTH, TAG_NAME_MAX_LENGTH

from chatbot.bot.corpora import CorpusError, Source, unreadable

logger = logging.getLogger(__name__)

MAX_RECORD_BYTES = 1 << 20
"""Of a line, of a CSV row, of a text in YAML: far more than any needs, and what bounds the memory."""

MAX_FILE_BYTES = {".yml": 256 << 20, ".yaml": 256 << 20, ".json": 64 << 20}
"""JSON is held in memory; YAML would take minutes."""

_MAX_DEPTH = 20
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("text", "reply")
_NEVER_IN_A_TEXT = re.compile("[\0\ud800-\udfff]")
NOT_IN_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML allows only as an escape."""

_TOKEN = re.compile(r'[\[\]{}"]|[^\s,:\[\]{}"]+')
_DECODER = json.JSONDecoder()
_KINDS = {"[": "a list", "{": "a mapping", "]": "an end", "}": "an end"}


class Pair(NamedTuple):
    """A prompt and a reply, the line before the prompt in its dialogue, and where the reply stands.

    What another ChatterBot learned has the source "", the line 0 and the rank 0.
    """

    prompt: str
    reply: str
    before: str | None
    source: str
    line: int
    rank: int


class Line(NamedTuple):
    """One line of a dialogue; `reply_to` is the line before it, None for the first."""

    text: str
    reply_to: str | None
    number: int


@dataclass(frozen=True)
class Corpus:
    """What a source says. The lines can be read once; the categories are there when they have been."""

    source: Source
    lines: Iterable[Line]
    categories: list[str] = field(default_factory=list)


def read_corpus(source: Source, advance: Callable[[int], object] = lambda _: None) -> Corpus:
    """What a source says, checked while it is read; `advance` is told how many bytes have been.

    Raises CorpusError then. A dialogue that is wrong in a packaged corpus is left out.
    """
    suffix = source.path.suffix.lower()
    limit = MAX_FILE_BYTES.get(suffix)
    if limit and source.size() > limit:
        raise CorpusError(
            f"{source.name}: expected at most {limit >> 20} MiB of this format, but got {-(-source.size() >> 20)} MiB. "
            "CSV and JSON Lines may have any size."
        )
    text = _Text(source, advance)
    if suffix in _DELIMITERS:
        return Corpus(source, _separated(text, _DELIMITERS[suffix]))
    if suffix == ".jsonl":
        return Corpus(source, _json_lines(text))
    reader = _Reader(source, _json_events(text) if suffix == ".json" else _yaml_events(text))
    return Corpus(source, reader.lines(), reader.categories)


def clean(text: str, limit: int = STATEMENT_TEXT_MAX_LENGTH) -> str:
    """A text in one line without needless spaces. Raises ValueError, which says what was expected."""
    cleaned = " ".join(text.split())
    if not cleaned:
        raise ValueError("expected a text, but got an empty one")
    if len(cleaned) > limit:
        raise ValueError(f"expected a text of at most {limit:,} characters, but got {len(cleaned):,}")
    if wrong := _NEVER_IN_A_TEXT.search(cleaned):
        raise ValueError(f"expected a text, but got one with {_named(wrong[0])}")
    return cleaned


def _named(character: str) -> str:
    kind = "half of a character, " if "\ud800" <= character <= "\udfff" else ""
    return f"{kind}U+{ord(character):04X}"


class _Text:
    """The lines of a file, decoded one by one or at once. `start` is the line where the record that is read begins."""

    def __init__(self, source: Source, advance: Callable[[int], object]) -> None:
        self.number = 0
        self.start = 1
        self._pending = 0
        self._source = source
        self._advance = advance
        self._file: BinaryIO | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            with self._source.path.open("rb") as self._file:
                file = self._file
                while raw := file.readline(MAX_RECORD_BYTES):
                    self.number += 1
                    self._pending += len(raw)
                    if self._pending >= MAX_RECORD_BYTES:
                        self.refuse("expected lines and texts of less than 1 MiB, but got more; a quote may be missing")
                    self._advance(len(raw))
                    yield self._decoded(raw)
        except OSError as error:
            raise unreadable(self._source.name, error) from None

    def whole(self) -> str:
        """All lines at once, for a format whose files are bounded and not their lines."""
        try:
            raw = self._source.path.read_bytes()
        except OSError as error:
            raise unreadable(self._source.name, error) from None
        self.number = 1
        self._advance(len(raw))
        return self._decoded(raw)

    def restart(self) -> None:
        """Say that a record has been read."""
        self.start = self.number + 1
        self._pending = 0

    def refuse(self, problem: object, line: int | None = None) -> NoReturn:
        """Raise the sentence for a line, or for the record that is being read. Nothing more is read."""
        if self._file:
            self._file.close()
        raise CorpusError(f"{self._source.name}:{line or self.start}: {problem}.")

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            line = self.number + error.object.count(b"\n", 0, error.start)
            self.refuse(f"expected UTF-8 text, but got the byte 0x{error.object[error.start]:02x}", line)


def read_questions(source: Source) -> Iterator[tuple[str, str]]:
    """Texts and the replies that are right, from CSV or TSV; an empty reply: there is none. Raises CorpusError."""
    delimiter = _DELIMITERS.get(source.path.suffix.lower())
    if delimiter is None:
        raise CorpusError(f"{source.name}: expected {' or '.join(_DELIMITERS)}, but got {source.path.name}.")
    text = _Text(source, lambda _: None)
    for question, reply in _records(text, delimiter):
        yield _clean(text, question), _clean(text, reply) if reply.strip() else ""


def _separated(text: _Text, delimiter: str) -> Iterator[Line]:
    for prompt, reply in _records(text, delimiter):
        yield from _pair(text, prompt, reply)


def _records(text: _Text, delimiter: str) -> Iterator[tuple[str, str]]:
    rows = _rows(text, delimiter)
    header = next(rows, [])
    prompt, reply = _columns(text, [name.strip() for name in header], delimiter)
    text.restart()
    for row in rows:
        if len(row) != len(header):
            text.refuse(f"expected {len(header)} columns, as in the header, but got {len(row)}")
        yield row[prompt], row[reply]
        text.restart()


def _rows(text: _Text, delimiter: str) -> Iterator[list[str]]:
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            text.refuse(_csv_problem(str(error)))
        if row is None:
            return
        if row:
            yield row
        else:
            text.restart()


def _csv_problem(error: str) -> str:
    if "unexpected end" in error:
        return "expected the quote that opens here to be closed, but got the end of the file"
    if "new-line" in error:
        return "expected a line break of LF or CR LF, but got a lone CR"
    if "field limit" in error:
        limit = csv.field_size_limit()
        return f"expected fields of at most {limit:,} characters, but got more; a quote may be missing"
    return f"no valid CSV: {error}"


def _columns(text: _Text, header: list[str], delimiter: str) -> tuple[int, int]:
    for column in _COLUMNS:
        if header.count(column) != 1:
            got = delimiter.join(header)[:100] or "nothing"
            text.refuse(f"expected a header with the columns text and reply, each once, but got {got}")
    return header.index(_COLUMNS[0]), header.index(_COLUMNS[1])


def _pair(text: _Text, prompt: str, reply: str) -> Iterator[Line]:
    said, answer = _clean(text, prompt), _clean(text, reply)
    yield Line(said, None, text.start)
    yield Line(answer, said, text.start)


def _clean(text: _Text, content: str) -> str:
    try:
        return clean(content)
    except ValueError as problem:
        text.refuse(problem)


def _json_lines(text: _Text) -> Iterator[Line]:
    expected = 'expected an object with "text" and "reply"'
    for line in text:
        if line.strip():
            record = _json_value(text, line, object_pairs_hook=_unique, parse_constant=_refuse_constant)
            if not isinstance(record, dict):
                text.refuse(f"{expected}, but got {_kind(record)}")
            for column in _COLUMNS:
                if not isinstance(record.get(column), str):
                    got = f"{_kind(record[column])} as {column}" if column in record else f"none with {column}"
                    text.refuse(f"{expected}, which are texts, but got {got}")
            yield from _pair(text, record["text"], record["reply"])
        text.restart()
    if text.number == 0:
        text.refuse(f"{expected}, but got nothing")


def _json_value(text: _Text, content: str, **hooks: Any) -> Any:
    try:
        return json.loads(content, parse_int=float, **hooks)
    except json.JSONDecodeError as error:
        text.refuse(f"no valid JSON: {error.msg}", text.start + error.lineno - 1)
    except ValueError as problem:
        text.refuse(problem)
    except RecursionError:
        text.refuse("expected dialogues, which are lists of texts, but got lists in lists")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"expected the key `{twice}` once, but got it again")
    return unique


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"expected JSON, but got {constant}")


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        str: "a text",
        list: "a list",
        dict: "a mapping",
        bool: "true or false",
        float: "a number",
    }
    return kinds.get(type(value), "null")


class _Event(NamedTuple):
    """What begins or ends in a document. The kind of a text is "a text", and so on, as it is told to people."""

    kind: str
    line: int
    text: str = ""


class _YamlFile:
    """What libyaml reads from: one line for each call."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._lines = iter(text)

    def read(self, _size: int = 0, /) -> str:
        line = next(self._lines, "")
        if wrong := NOT_IN_YAML.search(line):
            self._text.refuse(f"expected text, but got {_named(wrong[0])}", self._text.number)
        return line


def _yaml_events(text: _Text) -> Iterator[_Event]:
    kinds = {
        yaml.ScalarEvent: "a text",
        yaml.SequenceStartEvent: "a list",
        yaml.MappingStartEvent: "a mapping",
        yaml.SequenceEndEvent: "an end",
        yaml.MappingEndEvent: "an end",
    }
    documents = 0
    try:
        for event in yaml.parse(_YamlFile(text), Loader=yaml.CSafeLoader):
            text.restart()
            assert event.start_mark is not None, "libyaml's events have one"
            line = event.start_mark.line + 1
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                text.refuse("expected one document, but got another", line)
            if isinstance(event, yaml.AliasEvent):
                text.refuse("expected a corpus without aliases, but got one", line)
            if type(event) in kinds:
                yield _Event(kinds[type(event)], line, getattr(event, "value", ""))
    except yaml.MarkedYAMLError as error:
        text.refuse(f"no valid YAML: {error.problem}", error.problem_mark.line + 1 if error.problem_mark else 1)


def _json_events(text: _Text) -> Iterator[_Event]:
    content = text.whole()
    if not content.strip():
        return
    _json_value(text, content)
    # It is valid, so its tokens are all there is to see; json.loads does not say on which lines they stand.
    number, counted, end = 1, 0, 0
    while token := _TOKEN.search(content, end):
        start, end = token.span()
        number += content.count("\n", counted, start)
        counted = start
        if token[0] == '"':
            value, end = _DECODER.raw_decode(content, start)
            yield _Event("a text", number, value)
        else:
            text.start = number
            yield _Event(
                _KINDS.get(token[0]) or _kind(_json_value(text, token[0], parse_constant=_refuse_constant)), number
            )


class _Reader:
    """Dialogues from events."""

    def __init__(self, source: Source, events: Iterator[_Event]) -> None:
        self.categories: list[str] = []
        self._source = source
        self._events = events
        self._depth = 0

    def lines(self) -> Iterator[Line]:
        root = self._next()
        if root.kind != "a mapping":
            raise self._unexpected(root, "a mapping with the key `conversations`")
        seen: set[str] = set()
        while (key := self._next()).kind != "an end":
            if key.kind != "a text":
                raise self._unexpected(key, "a text as key")
            if key.text in seen:
                raise self._error(key, f"expected the key `{key.text}` once, but got it again")
            seen.add(key.text)
            if key.text == "conversations":
                yield from self._dialogues(self._next())
            elif key.text == "categories":
                self.categories += [
                    self._text(item, TAG_NAME_MAX_LENGTH) for item in self._items(self._next(), "categories")
                ]
            else:
                outside = self._depth
                self._next()
                self._leave(outside)
        self._next()  # a second document is refused
        if "conversations" not in seen:
            raise self._error(root, "expected the key `conversations`, but it is missing")

    def _dialogues(self, conversations: _Event) -> Iterator[Line]:
        outside = self._depth
        for start in self._items(conversations, "dialogues"):
            try:
                yield from self._dialogue(start)
            except CorpusError as error:
                if not self._source.packaged:
                    raise
                self._leave(outside)
                logger.info("Left out %s", error)

    def _dialogue(self, start: _Event) -> list[Line]:
        lines: list[Line] = []
        for item in self._items(start, "lines"):
            text = self._text(item, STATEMENT_TEXT_MAX_LENGTH)
            lines.append(Line(text, lines[-1].text if lines else None, item.line))
        return lines

    def _items(self, start: _Event, of: str) -> Iterator[_Event]:
        if start.kind != "a list":
            raise self._unexpected(start, f"a list of {of}")
        while (item := self._next()).kind != "an end":
            yield item

    def _text(self, event: _Event, limit: int) -> str:
        if event.kind != "a text":
            raise self._unexpected(event, "a text")
        try:
            return clean(event.text, limit)
        except ValueError as problem:
            raise self._error(event, str(problem)) from None

    def _next(self) -> _Event:
        event = next(self._events, _Event("nothing", 1))
        self._depth += (event.kind in ("a list", "a mapping")) - (event.kind == "an end")
        if self._depth > _MAX_DEPTH:
            raise self._error(event, "expected dialogues, which are lists of texts, but got lists in lists")
        return event

    def _leave(self, depth: int) -> None:
        """Skip to the end of what began at this depth."""
        while self._depth > depth:
            self._next()

    def _unexpected(self, event: _Event, expected: str) -> CorpusError:
        return self._error(event, f"expected {expected}, but got {event.kind}")

    def _error(self, event: _Event, problem: str) -> CorpusError:
        return CorpusError(f"{self._source.name}:{event.line}: {problem}.")
