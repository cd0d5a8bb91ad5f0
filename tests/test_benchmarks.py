from pathlib import Path
from random import Random

from benchmarks.growth import mistyped, write_data
from benchmarks.messages import messages
from benchmarks.quality import no_stop_word, questions, typo
from chatbot.bot.formats import Pair
from chatbot.bot.words import key


def pair(prompt: str, reply: str, before: str | None = None) -> Pair:
    return Pair(prompt, reply, before, "mine.csv", 1, 1)


def test_no_two_messages_of_the_load_are_the_same() -> None:
    said = messages(5000)
    assert len({key(text) for text in said}) == 5000
    assert messages(10) == said[:10]


def test_data_of_a_size_has_so_many_distinct_prompts_and_replies_that_come_once_or_often(tmp_path: Path) -> None:
    write_data(tmp_path, 3000)
    rows = (tmp_path / "pairs.csv").read_text().splitlines()[1:]
    assert len(rows) == len(set(rows)) == 3000


def test_a_typo_changes_one_word() -> None:
    for seed in range(50):
        changed = typo("what is a computer", Random(seed)).split()
        assert len(changed) == 4
        assert sum(new != old for new, old in zip(changed, ["what", "is", "a", "computer"], strict=True)) <= 1
    assert sorted(mistyped("my computer", Random(1))) == sorted("my computer")


def test_a_stop_word_is_dropped_only_where_other_words_are_left() -> None:
    assert no_stop_word("Who are friends", Random(1)) == "Who friends"
    assert no_stop_word("Are you", Random(1)) == "Are you"


def test_a_prompt_is_right_with_the_replies_that_go_with_the_line_before_it() -> None:
    asked = questions([pair("Why?", "So."), pair("Why?", "Because.", "No."), pair("why", "Well.", "no")])
    trained = {question.before: question.replies for question in asked if question.change == "as trained"}
    assert trained == {"": {"So."}, "No.": {"Because.", "Well."}}
