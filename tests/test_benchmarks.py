import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from benchmarks.growth import mistyped, write_data
from benchmarks.kill import FAULTS, Client, Told, compare
from benchmarks.messages import messages
from benchmarks.quality import no_stop_word, questions, typo
from chatbot.bot.formats import Pair
from chatbot.bot.words import key
from tests.nginx import ROOT
from tests.processes import environment


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


@pytest.mark.server
def test_no_turn_is_lost_or_doubled_when_the_server_is_killed() -> None:
    killing = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill", "--rounds", "3"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (killing.returncode, killing.stdout.count("\n")) == (0, 3), killing.stdout + killing.stderr


def measured(*command: str) -> tuple[int, dict[str, str]]:
    """The status of a benchmark, and its table of one row."""
    measuring = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert measuring.stdout.count("\n") == 3, measuring.stdout + measuring.stderr
    header, _, row = ([cell.strip() for cell in line.split("|")[1:-1]] for line in measuring.stdout.splitlines())
    return measuring.returncode, dict(zip(header, row, strict=True))


@pytest.mark.server
def test_idle_connections_and_the_messages_among_them_are_measured() -> None:
    _, row = measured("benchmarks.idle", "--connections", "50", "--seconds", "1")
    assert (row["connections"], row["messages"]) == ("50", "1,000")


@pytest.mark.server
def test_those_who_come_and_go_leave_nothing_behind() -> None:
    status, row = measured("benchmarks.soak", "--connections", "100", "--seconds", "20")
    assert status == 0, row
    assert (row["count"], row["refused"], row["unanswered"]) == ("0", "0", "0")
    assert {row[way] for way in ("replies", "close", "reset", "vanish")}.isdisjoint({"0"})


KEPT = [Told(number, f"7-{number - 1}", f"prompt {number}", f"reply {number}") for number in (1, 2, 3)]


def faults(kept: list[Told], *others: str) -> dict[str, int]:
    """What is wrong if a client was told of the turns of KEPT, and the database has these and those of others."""
    counted: Counter[str] = Counter()
    client = Client(7, [], counted)
    client.visitor = "a"
    client.told = KEPT
    client.said = {turn.message_id: turn.prompt for turn in KEPT}
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE turn (visitor, number, message_id, prompt, reply)")
        rows = [*(("a", *turn) for turn in kept), *((visitor, 1, "id", "Hi", "Hello") for visitor in others)]
        database.executemany("INSERT INTO turn VALUES (?, ?, ?, ?, ?)", rows)
        compare(database, [client], counted)
    return {fault: counted[fault] for fault in FAULTS if counted[fault]}


def test_what_killing_did_to_the_turns_is_found() -> None:
    one, two, three = KEPT
    assert faults(KEPT) == {}
    assert faults([one, two]) == {"missing": 1, "never answered": 1, "out of order": 1}
    assert faults([*KEPT, three._replace(number=4)])["doubled"] == 1
    assert faults([two._replace(number=1), one._replace(number=2), three])["out of order"] == 1
    assert faults([one, two, three._replace(number=5)])["out of order"] == 1
    assert faults([one, two, three._replace(reply="")])["half"] == 1
    assert faults([one, two, three._replace(prompt="another")])["half"] == 1
    assert faults([one, two, three._replace(reply="another")]) == {"missing": 2}
    assert faults(KEPT, "b") == {"missing": 1}


def test_clients_notice_what_comes_twice_or_too_early() -> None:
    def told(*turns: Told) -> dict[str, int]:
        counted: Counter[str] = Counter()
        client = Client(7, [], counted)
        for number, message_id, prompt, text in turns:
            client.hear({"type": "reply", "seq": number, "id": message_id, "prompt": prompt, "text": text})
        return {fault: counted[fault] for fault in FAULTS if counted[fault]}

    one, two, three = KEPT
    assert told(*KEPT) == told(one, two, two, one, three) == {}
    assert told(one, three) == {"out of order": 1}
    assert told(one, one._replace(number=2)) == {"doubled": 1}
    assert told(one, two, two._replace(reply="another")) == {"doubled": 1, "out of order": 1}
