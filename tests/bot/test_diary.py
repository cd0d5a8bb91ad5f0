import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.bot import forgotten
from chatbot.bot.diary import Diary
from chatbot.bot.memory import Memory
from chatbot.bot.turns import NO_LIMIT, Turn
from tests.databases import only_sqlite
from tests.diaries import ANN, BOB, diary_in, said, say


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(diary_in(tmp_path)) as diary:
        yield diary


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("diego.db*"))


@only_sqlite
def test_only_the_owner_may_read_it(diary: Diary, tmp_path: Path) -> None:
    diary.call(ANN, "Ann")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("diego.db*")} == {0o600}


def test_a_name_is_kept_and_may_change(diary: Diary, tmp_path: Path) -> None:
    for name in ("Ann", "Anna"):
        diary.call(ANN, name)
    with closing(diary_in(tmp_path)) as again:
        assert (again.name(ANN), again.name(BOB)) == ("Anna", None)


def test_what_is_needed_to_answer_somebody_is_looked_up_when_they_come(diary: Diary) -> None:
    came: list[str] = []
    diary.on_come.append(came.append)
    assert diary.come(ANN) == (False, 0)
    say(diary, ANN, "Hi", "How are you?")
    assert (diary.come(ANN), diary.come(BOB)) == ((False, 2), (False, 0))
    diary.forget(ANN)
    assert diary.come(ANN) == (True, None)
    assert came == [ANN, ANN, BOB]


@only_sqlite
def test_whoever_comes_is_let_in_although_nothing_can_be_looked_up(
    diary: Diary, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    say(diary, ANN, "Hi")
    with closing(sqlite3.connect(tmp_path / "diego.db")) as other:
        other.execute("ALTER TABLE turn RENAME TO hidden")
        assert diary.come(ANN) == (False, None)
        other.execute("ALTER TABLE hidden RENAME TO turn")
    assert diary.come(ANN) == (False, 1)
    assert "What is known of a visitor could not be looked up." in caplog.messages


def test_an_export_has_all_that_is_known_of_one_visitor(diary: Diary) -> None:
    diary.call(ANN, "Ann")
    diary.call(BOB, "Bob")
    lesson = diary.lessons.teach(ANN, "ping", "pong")
    diary.lessons.teach(BOB, "ping", "peng")
    say(diary, ANN, "Hi", "How are you?")
    say(diary, BOB, "Hi")
    diary.room.keep([said("Hello, everybody", ANN), said("Hello, Ann", BOB)])
    turn = {"message_id": "1 Hi", "prompt": "Hi", "reply": "I see.", "confidence": 1.0, "why": "known"}
    turn |= {"said_at": 0.0, "kind": "known"}
    other = {**turn, "message_id": "2 How are you?", "prompt": "How are you?"}
    assert diary.export(ANN) == {
        "visitor": ANN,
        "name": "Ann",
        "lessons": [
            {"id": lesson.id, "prompt": "ping", "reply": "pong", "state": "own", "taught_at": lesson.taught_at}
        ],
        "turns": [{"number": 1, **turn}, {"number": 2, **other}],
        "room": [
            {
                "number": 1,
                "name": "Somebody",
                "message_id": None,
                "text": "Hello, everybody",
                "said_at": 0.0,
                "answers": None,
            }
        ],
    }
    assert diary.export("c" * 32) == {"visitor": "c" * 32, "name": None, "lessons": [], "turns": [], "room": []}


def tell(diary: Diary, visitor: str, word: str) -> None:
    """Say, teach and be called what has a word in it."""
    for number in range(5):
        say(diary, visitor, f"{number} {word}", reply=f"about {word}", why=f'matched: "{word}"')
        say(diary, visitor, f"{number} long " + f"{word} " * 90, reply=f"{word} " * 100)
        diary.lessons.teach(visitor, f"{number} where is {word}", f"{word} is here")
        diary.room.keep([said(f"{word} for all " * number, visitor)])
    diary.lessons.teach(visitor, "0 where is " + word, "gone, " + word)
    diary.call(visitor, word)


@only_sqlite
def test_nothing_of_a_forgotten_visitor_stays_in_the_files(diary: Diary, tmp_path: Path) -> None:
    tell(diary, ANN, "tiramisu")
    tell(diary, BOB, "zabaione")
    assert files(tmp_path).count(b"tiramisu") > 1000
    assert diary.forget(ANN)
    assert b"tiramisu" not in files(tmp_path)
    assert b"zabaione" in files(tmp_path)
    assert ANN.encode() not in files(tmp_path)
    assert diary.export(ANN) == {"visitor": ANN, "name": None, "lessons": [], "turns": [], "room": []}
    assert (diary.name(BOB), len(diary.lessons.of(BOB)), diary.turns.last_number(BOB)) == ("zabaione", 5, 10)


@only_sqlite
@pytest.mark.parametrize("seed", range(3))
def test_not_even_copies_stay_that_sqlite_made_when_pages_were_split(diary: Diary, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    visitors = [f"{dice.getrandbits(128):032x}" for _ in range(20)]
    for _ in range(600):
        visitor = dice.choice(visitors)
        secret = f"SECRET{visitor[:8]} "
        say(diary, visitor, secret * dice.randrange(1, 60), reply=secret * dice.choice([1, 2, 5, 60]), why=secret)
    for visitor in visitors[:10]:
        assert diary.forget(visitor)
        assert visitor[:8].encode() not in files(tmp_path)


@only_sqlite
def test_forgetting_waits_for_those_who_read(diary: Diary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(diary, ANN, "tiramisu")
    reader = sqlite3.connect(tmp_path / "diego.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM turn").fetchone()
    waits = 0

    def wait(_seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            say(diary, BOB, "Others may write meanwhile.")
        if waits == 3:
            reader.close()

    monkeypatch.setattr("time.sleep", wait)
    assert diary.forget(ANN)
    assert waits == 3
    assert b"tiramisu" not in files(tmp_path)
    assert diary.turns.last_number(BOB) == 1


@only_sqlite
def test_who_reads_for_too_long_is_not_waited_for_and_the_rest_is_wiped_at_the_next_start(
    diary: Diary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgotten.Forgotten.wipe, "__defaults__", (0.0,))
    tell(diary, ANN, "tiramisu")
    with closing(sqlite3.connect(tmp_path / "diego.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM turn").fetchone()
        assert not diary.forget(ANN)
        assert diary.export(ANN)["turns"] == []
        assert b"tiramisu" in files(tmp_path)
    with closing(diary_in(tmp_path)):
        assert b"tiramisu" not in files(tmp_path)


def test_the_caches_forget_too(diary: Diary) -> None:
    memory = Memory(diary.turns.last_replies)
    diary.on_forget.append(memory.forget)
    diary.lessons.teach(ANN, "ping", "pong")
    assert diary.lessons.find(ANN, "ping")
    memory.note(ANN, "tiramisu")
    diary.forget(ANN)
    assert diary.lessons.find(ANN, "ping") is None
    assert memory.last(ANN) == ""


def test_a_forgotten_number_takes_nothing_any_more_also_after_a_restart(diary: Diary, tmp_path: Path) -> None:
    diary.forget(ANN)
    with closing(diary_in(tmp_path)) as again:
        for each in (diary, again):
            each.lessons.teach(ANN, "ping", "pong")
            each.call(ANN, "Ann")
            assert ANN in each.forgotten
            assert BOB not in each.forgotten
            assert each.export(ANN) == {"visitor": ANN, "name": None, "lessons": [], "turns": [], "room": []}


def test_what_waits_to_be_written_is_forgotten_too(diary: Diary) -> None:
    for number in range(50):
        turn = (ANN, number, None, "tiramisu", "", 1.0, "", 0.0)
        diary.turns.add(Turn(*turn), lambda _: None)
    diary.forget(ANN)
    assert diary.turns.before(ANN, NO_LIMIT, 1) == []
