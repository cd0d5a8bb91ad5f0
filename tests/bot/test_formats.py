import json
import re
import tracemalloc
from pathlib import Path

import psutil
import pytest

from chatbot.bot.corpora import CorpusError, Source, find_sources
from chatbot.bot.formats import Line, read_corpus
from tests.bad_files import BAD_FILES


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes, name: str = "mine.yml") -> list[Line]:
    """What a file with this text says."""
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    (source,) = find_sources((name,))
    return list(read_corpus(source).lines)


YAML = "categories:\n- greetings\nconversations:\n- - Hi\n  - Hello\n  - Bye\n- - Sun\n  - Moon\n"
JSON = """{"conversations": [
["Hi", "Hello",
"Bye"], ["Sun", "Moon"]
], "more": {"x": [1, true, null]},
"categories": ["greetings"]}"""


@pytest.mark.parametrize(
    ("name", "text", "numbers"), [("mine.yml", YAML, (4, 5, 6, 7, 8)), ("mine.json", JSON, (2, 2, 3, 3, 3))]
)
def test_every_line_of_a_dialogue_replies_to_the_one_before(name: str, text: str, numbers: tuple[int, ...]) -> None:
    Path(name).write_text(text)
    corpus = read_corpus(find_sources((name,))[0])
    lines = [("Hi", None), ("Hello", "Hi"), ("Bye", "Hello"), ("Sun", None), ("Moon", "Sun")]
    assert list(corpus.lines) == [Line(*line, number) for line, number in zip(lines, numbers, strict=True)]
    assert corpus.categories == ["greetings"]


def test_lines_of_yaml_are_texts_as_they_stand_there() -> None:
    lines = read("conversations:\n- [Yes, 007, 1_000, 'two\n  lines', 2024-01-01, !!python/name:os.system x]\n")
    assert [line.text for line in lines] == ["Yes", "007", "1_000", "two lines", "2024-01-01", "x"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.csv", 'reply,number,text\nHello,1,Hi\n\n"Good\nbye",2,"Bye, ""you"""\n'),
        ("mine.csv", 'text,reply\r\nHi,Hello\r\n\r\n"Bye, ""you""",Good  bye'),
        ("mine.csv", 'text , reply\nHi,Hello\n\n"Bye, ""you""",Good bye\n'),
        ("MINE.TSV", 'text\treply\nHi\tHello\n\n"Bye, ""you"""\tGood bye\n'),
        (
            "mine.jsonl",
            '\n{"reply": "Hello", "text": "Hi", "x": 1}\n\n{"text": "Bye, \\"you\\"", "reply": "Good\\nbye"}\n',
        ),
    ],
)
def test_a_row_is_a_dialogue_of_two_lines(name: str, text: str) -> None:
    assert read(text, name) == [
        Line("Hi", None, 2),
        Line("Hello", "Hi", 2),
        Line('Bye, "you"', None, 4),
        Line("Good bye", 'Bye, "you"', 4),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.yml", "conversations:\n- [Hi, 😀]\n"),
        ("mine.json", json.dumps({"conversations": [["Hi", "😀"]]})),
        ("mine.csv", "text,reply\nHi,😀\n"),
        ("mine.tsv", "text\treply\nHi\t😀\n"),
        ("mine.jsonl", '{"text": "Hi", "reply": "😀"}\n'),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_text(name: str, text: str) -> None:
    assert [line.text for line in read(b"\xef\xbb\xbf" + text.encode(), name)] == ["Hi", "😀"]


@pytest.mark.parametrize("text", ["é" * 1100, " x  " + "y" * 1098 + " " * 500])
def test_the_length_is_that_in_characters_without_needless_spaces(text: str) -> None:
    assert len(read(f"text,reply\nHi,{text}\n", "mine.csv")[1].text) == 1100


def test_every_packaged_corpus_can_be_read() -> None:
    sources = find_sources(("chatterbot.corpus",))
    assert sum(len(list(read_corpus(source).lines)) for source in sources) == 19_589


def test_a_wrong_dialogue_of_a_packaged_corpus_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    (source,) = find_sources(("chatterbot.corpus.english.trivia",))
    with caplog.at_level("INFO"):
        lines = list(read_corpus(source).lines)
    assert len(lines) > 500
    assert caplog.messages == [
        "Left out chatterbot.corpus.english.trivia:35: expected a list of lines, but got a text."
    ]


def test_what_follows_a_wrong_dialogue_of_a_packaged_corpus_is_read() -> None:
    Path("theirs.yml").write_text("conversations:\n- - Hi\n  - [[a], b]\n  - Bye\n- [Sun, Moon]\n")
    corpus = read_corpus(Source("chatterbot.corpus.theirs", Path("theirs.yml"), packaged=True))
    assert [line.text for line in corpus.lines] == ["Sun", "Moon"]


@pytest.mark.parametrize(("name", "content", "sentence"), BAD_FILES)
def test_a_bad_file_is_refused_with_its_line(name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(CorpusError) as refused:
        read(content, name)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(("name", "content", "sentence"), [bad for bad in BAD_FILES if not bad[0].endswith("yml")])
def test_a_file_that_is_refused_is_closed(name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(CorpusError, match=re.escape(sentence)) as refused:
        read(content, name)
    assert not [open_file for open_file in psutil.Process().open_files() if Path(open_file.path).name == name]
    del refused  # until then its traceback holds whatever was reading


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(CorpusError, match="mine.yml:2: expected a corpus without aliases, but got one."):
        read(f"l0: &l0 [x]\n{levels}conversations: *l29\n")


@pytest.mark.parametrize(("name", "limit"), [("mine.yml", 256), ("mine.json", 64)])
def test_too_large_a_file_is_refused_before_it_is_read(name: str, limit: int) -> None:
    with Path(name).open("wb") as file:
        file.truncate((limit << 20) + 1)
    read_bytes: list[int] = []
    with pytest.raises(CorpusError) as refused:
        read_corpus(find_sources((name,))[0], read_bytes.append)
    assert str(refused.value) == (
        f"{name}: expected at most {limit} MiB of this format, but got {limit + 1} MiB. "
        "CSV and JSON Lines may have any size."
    )
    assert read_bytes == []


@pytest.mark.parametrize("name", ["mine.csv", "mine.yml"])
def test_a_large_file_is_not_held_in_memory(name: str) -> None:
    prompt, reply = (
        "What is the number of this line, and how long is it?",
        "It is one of very many and not a short one.",
    )
    row = f'"{prompt}",{reply}\n' if name == "mine.csv" else f'- ["{prompt}", "{reply}"]\n'
    with Path(name).open("w") as file:
        file.write("text,reply\n" if name == "mine.csv" else "conversations:\n")
        file.writelines(row for _ in range(30_000))
    (source,) = find_sources((name,))
    assert source.size() > 2_900_000
    tracemalloc.start()
    lines = sum(1 for _ in read_corpus(source).lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == 60_000
    assert peak < 500_000


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("mine.csv", "text,reply\n"),
        ("mine.csv", 'text,reply\n"'),
        ("mine.jsonl", ""),
        ("mine.yml", 'conversations:\n- - "'),
    ],
)
def test_a_file_without_line_breaks_is_refused_after_a_megabyte(name: str, begin: str) -> None:
    with Path(name).open("w") as file:
        file.write(begin)
        file.writelines("x" * 100_000 for _ in range(200))
    tracemalloc.start()
    with pytest.raises(CorpusError, match="but got more; a quote may be missing"):
        list(read_corpus(find_sources((name,))[0]).lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


def test_json_may_be_one_long_line() -> None:
    dialogues = [["Hi", f"Hello, {number}"] for number in range(60_000)]
    text = json.dumps({"conversations": dialogues})
    assert len(text) > 1 << 20
    assert [line.text for line in read(text, "mine.json")] == [line for dialogue in dialogues for line in dialogue]


def test_a_row_of_countless_quoted_line_breaks_is_refused() -> None:
    with pytest.raises(CorpusError, match="mine.csv:2: expected lines and texts of less than 1 MiB"):
        read("text,reply\n" + '"x\n",' * 300_000, "mine.csv")


def test_what_was_read_is_told() -> None:
    Path("mine.csv").write_text("text,reply\nHi,Hello\n")
    read_bytes: list[int] = []
    list(read_corpus(find_sources(("mine.csv",))[0], read_bytes.append).lines)
    assert read_bytes == [11, 9]


def test_a_file_that_goes_away_is_refused() -> None:
    Path("mine.csv").touch()
    (source,) = find_sources(("mine.csv",))
    Path("mine.csv").unlink()
    with pytest.raises(CorpusError, match="mine.csv: cannot be read: No such file or directory"):
        list(read_corpus(source).lines)
