import os
from pathlib import Path

import pytest

from chatbot.bot.corpora import SUFFIXES, CorpusError, find_sources, language_of, place


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(*names: str) -> str:
    with pytest.raises(CorpusError) as refused:
        find_sources(names)
    return str(refused.value)


def names(*corpora: str) -> list[str]:
    return [source.name for source in find_sources(corpora)]


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("chatbot.corpus.french.moods", "french"),
        ("chatterbot.corpus.spanish", "spanish"),
        ("chatbot.corpus", ""),
        ("/home/me/chatbot.corpus.french.yml", ""),
        ("hours.csv", ""),
    ],
)
def test_the_language_of_a_packaged_corpus_is_in_its_name(name: str, language: str) -> None:
    assert language_of(name) == language


class TestFinding:
    def test_a_language_is_its_files(self) -> None:
        found = names("chatterbot.corpus.english")
        assert "chatterbot.corpus.english.greetings" in found
        assert len(found) == 21

    def test_a_corpus_may_be_one_file_of_a_language(self) -> None:
        assert names("chatterbot.corpus.english.greetings") == ["chatterbot.corpus.english.greetings"]

    def test_the_own_corpora_are_named_like_chatterbots(self) -> None:
        found = names("chatbot.corpus")
        assert found
        assert names("chatbot.corpus.english") == [name for name in found if ".english." in name]
        assert names(found[0]) == [found[0]]
        assert [source.packaged for source in find_sources((found[0], "chatterbot.corpus.english.ai"))] == [False, True]

    @pytest.mark.parametrize("suffix", [*SUFFIXES, ".CSV"])
    def test_files_of_every_format_are_found(self, suffix: str) -> None:
        Path(f"mine{suffix}").touch()
        assert names(f"mine{suffix}") == names(".") == [f"mine{suffix}"]

    def test_a_file_has_one_place_however_it_is_named(self) -> None:
        Path("mine.yml").touch()
        given = ("mine.yml", "./mine.yml", str(Path.cwd() / "mine.yml"), "deep/../mine.yml", "deep//.././mine.yml")
        Path("deep").mkdir()
        assert {find_sources((name,))[0].place for name in given} == {place("mine.yml")} == {given[2]}
        greetings = "chatterbot.corpus.english.greetings"
        assert find_sources((greetings,))[0].place == place(greetings) == greetings

    def test_a_link_is_a_file_of_its_own_wherever_it_leads(self) -> None:
        for release in ("first", "second"):
            Path(release).mkdir()
            Path(release, "mine.yml").touch()
        places = set()
        for release in ("first", "second"):
            Path("current").unlink(missing_ok=True)
            Path("current").symlink_to(release)
            places |= {find_sources((name,))[0].place for name in ("current/mine.yml", "first/../current/mine.yml")}
        assert places == {place("current/mine.yml")} == {str(Path.cwd() / "current" / "mine.yml")}

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

    def test_an_empty_name_is_refused(self) -> None:
        Path("mine.yml").touch()
        assert refusal("mine.yml", "") == "Expected the name of a file, folder or corpus, but got an empty one."

    def test_a_name_that_is_no_text_is_shown_as_one(self) -> None:
        Path("deep").mkdir()
        Path(os.fsdecode(b"deep/\xff.yml")).touch()
        assert names("deep") == names(os.fsdecode(b"deep/\xff.yml")) == ["deep/?.yml"]

    def test_a_file_of_another_kind_is_refused(self) -> None:
        Path("mine.docx").touch()
        assert refusal("mine.docx") == (
            "mine.docx: expected a corpus, .yml, .yaml, .json, .csv, .tsv or .jsonl, but got mine.docx."
        )

    def test_a_folder_without_corpora_is_refused(self) -> None:
        Path("empty").mkdir()
        assert refusal("empty") == (
            "empty: expected a folder with corpora, .yml, .yaml, .json, .csv, .tsv or .jsonl, but it has none."
        )

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
            source.size()
