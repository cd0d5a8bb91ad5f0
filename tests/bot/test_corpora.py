import os
from pathlib import Path

import pytest

from chatbot.bot.corpora import Corpus, CorpusError, Line, find_sources, read_corpus


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes) -> Corpus:
    """What a file with this text says."""
    Path("mine.yml").write_bytes(text.encode() if isinstance(text, str) else text)
    (source,) = find_sources(("mine.yml",))
    return read_corpus(source)


def refusal(*names: str) -> str:
    with pytest.raises(CorpusError) as refused:
        find_sources(names)
    return str(refused.value)


def names(*corpora: str) -> list[str]:
    return [source.name for source in find_sources(corpora)]


class TestFinding:
    def test_a_language_is_its_files(self) -> None:
        found = names("chatterbot.corpus.english")
        assert "chatterbot.corpus.english.greetings" in found
        assert len(found) == 21

    def test_a_corpus_may_be_one_file_of_a_language(self) -> None:
        assert names("chatterbot.corpus.english.greetings") == ["chatterbot.corpus.english.greetings"]

    def test_a_folder_is_its_files_at_any_depth(self) -> None:
        Path("deep/er").mkdir(parents=True)
        for file in ("deep/b.yml", "deep/er/a.yaml", "deep/notes.txt"):
            Path(file).touch()
        assert names("deep") == ["deep/b.yml", "deep/er/a.yaml"]

    def test_a_file_that_is_named_twice_is_one_source(self) -> None:
        Path("mine.yml").touch()
        greetings = "chatterbot.corpus.english.greetings"
        assert names("mine.yml", "./mine.yml", greetings, greetings) == ["mine.yml", greetings]

    def test_what_is_not_there_is_refused(self) -> None:
        sentence = refusal("chatterbot.corpus.klingon")
        assert sentence.startswith("chatterbot.corpus.klingon: there is no such file, folder or corpus.")
        assert "bengali, chinese" in sentence
        assert refusal("nowhere.yml").startswith("nowhere.yml: there is no such file, folder or corpus.")

    @pytest.mark.parametrize("name", ["x" * 5000 + ".yml", "~nobody-of-that-name/mine.yml"])
    def test_what_can_be_no_file_is_refused(self, name: str) -> None:
        assert "there can be no such file" in refusal(name)

    def test_a_name_that_is_no_text_is_shown_as_one(self) -> None:
        Path("deep").mkdir()
        Path(os.fsdecode(b"deep/\xff.yml")).touch()
        assert names("deep") == ["deep/?.yml"]

    def test_a_file_of_another_kind_is_refused(self) -> None:
        Path("mine.docx").touch()
        assert refusal("mine.docx") == "mine.docx: expected a YAML corpus, .yml or .yaml, but got mine.docx."

    def test_a_folder_without_corpora_is_refused(self) -> None:
        Path("empty").mkdir()
        assert refusal("empty").startswith("empty: expected a folder with YAML corpora")

    def test_the_hash_follows_the_content(self) -> None:
        Path("one.yml").write_text("a")
        Path("other.yml").write_text("b")
        one, other = (source.sha256() for source in find_sources(("one.yml", "other.yml")))
        assert one != other
        Path("other.yml").write_text("a")
        assert find_sources(("other.yml",))[0].sha256() == one

    def test_a_file_that_goes_away_is_refused(self) -> None:
        Path("mine.yml").touch()
        (source,) = find_sources(("mine.yml",))
        Path("mine.yml").unlink()
        with pytest.raises(CorpusError, match="mine.yml: cannot be read: No such file or directory"):
            source.sha256()
        with pytest.raises(CorpusError, match="mine.yml: cannot be read: No such file or directory"):
            read_corpus(source)


class TestReading:
    def test_every_line_of_a_dialogue_replies_to_the_one_before(self) -> None:
        corpus = read("categories:\n- greetings\nconversations:\n- - Hi\n  - Hello\n  - Bye\n- - Sun\n  - Moon\n")
        assert corpus.categories == ("greetings",)
        assert corpus.lines == (
            Line("Hi", None, 4),
            Line("Hello", "Hi", 5),
            Line("Bye", "Hello", 6),
            Line("Sun", None, 7),
            Line("Moon", "Sun", 8),
        )

    def test_lines_are_texts_as_they_stand_there(self) -> None:
        corpus = read("conversations:\n- [Yes, 007, 1_000, 'two\n  lines', 2024-01-01]\n")
        assert [line.text for line in corpus.lines] == ["Yes", "007", "1_000", "two lines", "2024-01-01"]

    def test_a_byte_order_mark_is_no_part_of_the_text(self) -> None:
        assert read(b"\xef\xbb\xbfconversations:\n- [Hi, Hello]\n").lines[0].text == "Hi"

    def test_every_packaged_corpus_can_be_read(self) -> None:
        corpora = [read_corpus(source) for source in find_sources(("chatterbot.corpus",))]
        assert sum(len(corpus.lines) for corpus in corpora) > 19_000

    def test_a_wrong_dialogue_of_a_packaged_corpus_is_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        (source,) = find_sources(("chatterbot.corpus.english.trivia",))
        with caplog.at_level("INFO"):
            corpus = read_corpus(source)
        assert len(corpus.lines) > 500
        assert caplog.messages == [
            "Left out chatterbot.corpus.english.trivia:35: expected a list of lines, but got a text."
        ]

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", "mine.yml:1: expected a mapping with the key `conversations`, but got nothing."),
            ("- Hi", "mine.yml:1: expected a mapping with the key `conversations`, but got a list."),
            ("dialogues: []", "mine.yml:1: expected the key `conversations`, but it is missing."),
            ("? [a]\n: b\nconversations: []", "mine.yml:1: expected a text as key, but got a list."),
            ("conversations: Hi", "mine.yml:1: expected a list of dialogues, but got a text."),
            ("conversations:\n- Hi", "mine.yml:2: expected a list of lines, but got a text."),
            ("conversations:\n- - Hi\n  - [a]", "mine.yml:3: expected a text, but got a list."),
            ("conversations:\n- - Hi\n  - a: b", "mine.yml:3: expected a text, but got a mapping."),
            ("conversations:\n- - Hi\n  - ''", "mine.yml:3: expected a text, but got an empty one."),
            ("conversations:\n- - Hi\n  -", "mine.yml:3: expected a text, but got an empty one."),
            ("categories: Hi\nconversations: []", "mine.yml:1: expected a list of categories, but got a text."),
            (
                f"conversations:\n- - Hi\n  - {'x' * 1101}",
                "mine.yml:3: expected a text of at most 1,100 characters, but got 1,101.",
            ),
            (
                f"categories: [{'x' * 51}]\nconversations: []",
                "mine.yml:1: expected a text of at most 50 characters, but got 51.",
            ),
            ("conversations:\n- [Hi", "mine.yml:3: no valid YAML: did not find expected ',' or ']'."),
            ("conversations:\n- - &a Hi\n  - *a", "mine.yml:2: an alias repeats this text"),
            (
                "conversations: []\nconversations: []",
                "mine.yml:2: expected the key `conversations` once, but got it again.",
            ),
            (
                "conversations: " + "[" * 100_000,
                "mine.yml: expected dialogues, which are lists of texts, but got lists in lists.",
            ),
            ("conversations:\n- - *a", "mine.yml:2: no valid YAML: found undefined alias."),
            (b"conversations:\n- [\xff]", "mine.yml:2: expected UTF-8 text, but got the byte 0xff."),
            (b"conversations:\n- [\0]", "mine.yml: expected text, but got unacceptable character #x0000."),
        ],
    )
    def test_a_wrong_file_is_refused_with_its_line(self, text: str | bytes, sentence: str) -> None:
        with pytest.raises(CorpusError) as refused:
            read(text)
        assert str(refused.value).startswith(sentence)

    def test_an_alias_bomb_is_refused_at_once(self) -> None:
        levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
        with pytest.raises(CorpusError, match="mine.yml:28: expected a text, but got a list."):
            read(f"l0: &l0 [x]\n{levels}conversations: *l29\n")
