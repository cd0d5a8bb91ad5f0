"""From the names of corpora to checked dialogues.

The format is ChatterBot's: a YAML mapping with `conversations`, a list of dialogues that are lists of lines, and
`categories`. It is read as nodes, not as values: a line is then the text that stands there (`Yes` stays "Yes", not
True), knows its number, and nothing in the file can make an object or grow through aliases.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml
from chatterbot.constants import STATEMENT_TEXT_MAX_LENGTH, TAG_NAME_MAX_LENGTH
from chatterbot_corpus.corpus import DATA_DIRECTORY

from chatbot import SetupError

logger = logging.getLogger(__name__)

PACKAGED = "chatterbot.corpus"
SUFFIXES = (".yml", ".yaml")
_MAX_DEPTH = 20
FORMAT = 1
"""To be counted up whenever the same files are to make other rows."""


class CorpusError(SetupError):
    """A corpus cannot be used; the message names the file and, where there is one, the line."""


class Line(NamedTuple):
    """One line of a dialogue; `reply_to` is the line before it, None for the first."""

    text: str
    reply_to: str | None
    number: int


@dataclass(frozen=True)
class Source:
    """A file to train on. `packaged`: it comes with chatterbot-corpus and is not the user's to mend."""

    name: str
    path: Path
    packaged: bool

    def sha256(self) -> str:
        """The hash of what the file holds and of how that is stored. Raises CorpusError."""
        try:
            content = hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise _unreadable(self, error) from None
        return hashlib.sha256(f"{FORMAT} {content}".encode()).hexdigest()


@dataclass(frozen=True)
class Corpus:
    """What a source says."""

    source: Source
    categories: tuple[str, ...]
    lines: tuple[Line, ...]


def find_sources(names: tuple[str, ...]) -> list[Source]:
    """The files that corpora (`chatterbot.corpus.english`), files and folders stand for, each once.

    Raises CorpusError for a name that stands for none.
    """
    found: dict[Path, Source] = {}
    for name in names:
        try:
            for source in _sources(name):
                found.setdefault(source.path.resolve(), source)
        except (OSError, RuntimeError) as error:  # too long a name, a loop of links, no such user
            raise CorpusError(f"{name}: there can be no such file: {error}.") from None
    return list(found.values())


def _sources(name: str) -> Iterator[Source]:
    packaged = name == PACKAGED or name.startswith(PACKAGED + ".")
    path = _packaged_path(name) if packaged else Path(name).expanduser()
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise CorpusError(f"{name}: expected a YAML corpus, {' or '.join(SUFFIXES)}, but got {path.name}.")
        yield Source(name, path, packaged)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        if not files:
            raise CorpusError(f"{name}: expected a folder with YAML corpora, {' or '.join(SUFFIXES)}, but it has none.")
        for file in files:
            inside = file.relative_to(path)
            yield Source(
                ".".join([name, *inside.with_suffix("").parts]) if packaged else _printable(file), file, packaged
            )
    else:
        known = ", ".join(sorted(folder.name for folder in Path(DATA_DIRECTORY).iterdir() if folder.is_dir()))
        raise CorpusError(f"{name}: there is no such file, folder or corpus. The languages of {PACKAGED} are {known}.")


def _printable(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()


def _packaged_path(name: str) -> Path:
    path = Path(DATA_DIRECTORY, *name.removeprefix(PACKAGED).split("."))
    return path if path.is_dir() else path.with_suffix(SUFFIXES[0])


def read_corpus(source: Source) -> Corpus:
    """Read and check a source. Raises CorpusError; a dialogue that is wrong in a packaged corpus is left out."""
    try:
        text = source.path.read_text("utf-8-sig")
        _refuse_depth(source, text)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except OSError as error:
        raise _unreadable(source, error) from None
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise CorpusError(f"{source.name}:{number}: expected UTF-8 text, but got the byte 0x{byte:02x}.") from None
    except yaml.MarkedYAMLError as error:
        number = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CorpusError(f"{source.name}:{number}: no valid YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise CorpusError(f"{source.name}: expected text, but got {str(error).partition(':')[0]}.") from None
    reader = _Reader(source)
    conversations, categories = reader.top(root)
    return Corpus(source, categories, tuple(reader.lines(conversations)))


def _refuse_depth(source: Source, text: str) -> None:
    """Composing recurses in C, and would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise CorpusError(f"{source.name}: expected dialogues, which are lists of texts, but got lists in lists.")


def _unreadable(source: Source, error: OSError) -> CorpusError:
    return CorpusError(f"{source.name}: cannot be read: {error.strerror}.")


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[int] = set()

    def top(self, root: yaml.Node | None) -> tuple[yaml.Node, tuple[str, ...]]:
        """The node of the conversations, and the categories."""
        if not isinstance(root, yaml.MappingNode):
            raise self._unexpected(root, "a mapping with the key `conversations`")
        parts: dict[str, yaml.Node] = {}
        for key, value in root.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._unexpected(key, "a text as key")
            if key.value in parts:
                raise self._error(key, f"expected the key `{key.value}` once, but got it again")
            parts[key.value] = value
        if "conversations" not in parts:
            raise self._error(root, "expected the key `conversations`, but it is missing")
        categories = self._items(parts["categories"], "categories") if "categories" in parts else []
        return parts["conversations"], tuple(self._text(node, TAG_NAME_MAX_LENGTH) for node in categories)

    def lines(self, conversations: yaml.Node) -> Iterator[Line]:
        for node in self._items(conversations, "dialogues"):
            try:
                yield from self._dialogue(node)
            except CorpusError as error:
                if not self._source.packaged:
                    raise
                logger.info("Left out %s", error)

    def _dialogue(self, node: yaml.Node) -> list[Line]:
        nodes = self._items(node, "lines")
        texts = [self._text(line, STATEMENT_TEXT_MAX_LENGTH) for line in nodes]
        return [
            Line(text, reply_to, line.start_mark.line + 1)
            for text, reply_to, line in zip(texts, [None, *texts], nodes, strict=False)
        ]

    def _items(self, node: yaml.Node, of: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._unexpected(node, f"a list of {of}")
        items: list[yaml.Node] = node.value
        return items

    def _text(self, node: yaml.Node, limit: int) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._unexpected(node, "a text")
        if id(node) in self._seen:
            raise self._error(node, "an alias repeats this text; expected a corpus without aliases")
        self._seen.add(id(node))
        text = " ".join(node.value.replace("\0", "").split())
        if not text:
            raise self._error(node, "expected a text, but got an empty one")
        if len(text) > limit:
            raise self._error(node, f"expected a text of at most {limit:,} characters, but got {len(text):,}")
        return text

    def _unexpected(self, node: yaml.Node | None, expected: str) -> CorpusError:
        kinds = {yaml.ScalarNode: "a text", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
        return self._error(node, f"expected {expected}, but got {kinds.get(type(node), 'nothing')}")

    def _error(self, node: yaml.Node | None, problem: str) -> CorpusError:
        return CorpusError(f"{self._source.name}:{node.start_mark.line + 1 if node else 1}: {problem}.")
