import errno
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TypeVar

import pytest

from chatbot.__main__ import main
from chatbot.bot.cache import work_out
from chatbot.bot.diary import Diary
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import learn, train
from chatbot.bot.turns import Turn
from chatbot.messages import BLANK, TOO_LONG
from chatbot.settings import PREFIX, Settings
from tests.databases import ON_POSTGRESQL, only_sqlite, url_in
from tests.processes import environment, launched, wait_for

A = "text,reply\nHi,Hello\nHi,Hey\n"
B = "conversations:\n- [Sun, Moon, Star]\n"
UNCHANGED = "What Diego knows is as it was."
STORED = "What was changed is stored; the rest is worked out when Diego starts."

ANN, BOB = "a" * 32, "b" * 32

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with two files to train on, and no setting of the developer's."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    if ON_POSTGRESQL:
        monkeypatch.setenv(f"{PREFIX}DATABASE_URL", url_in(""))
    Path("a.csv").write_text(A)
    Path("b.yml").write_text(B)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> "Run":
    return Run(capsys)


class Run:
    """What a command line prints; it must end with status 0, or for `refused` with 1."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> str:
        assert main(list(arguments)) == 0
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return printed.out

    def refused(self, *arguments: str) -> str:
        assert main(list(arguments)) == 1
        printed = self._capsys.readouterr()
        assert printed.out == ""
        return printed.err


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Diary]:
    """What a server holds open meanwhile; it looks for changes at every message."""
    monkeypatch.setattr("chatbot.bot.lessons.REFRESH_SECONDS", 0)
    with closing(Diary(url_in("", "diego.db.visitors"))) as diary:
        yield diary


def said() -> list[tuple[str, str]]:
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as storage:
        return [(pair.prompt, pair.reply) for pair in storage.pairs()]


def test_train_says_what_came_of_each_source(run: Run) -> None:
    lines = run("train", "a.csv", "b.yml").splitlines()
    assert lines[:3] == ["source  outcome  statements", "a.csv   new               4", "b.yml   new               3"]
    assert re.fullmatch(r"Diego learned 7 statements from 2 of 2 sources, in \d+\.\d s\.", lines[3])
    assert said() == [("Hi", "Hello"), ("Hi", "Hey"), ("Sun", "Moon"), ("Moon", "Star")]
    Path("b.yml").write_text("conversations:\n- [Sun, Rain]\n")
    lines = run("train", ".").splitlines()
    assert lines[:3] == [
        "source  outcome    statements",
        "a.csv   unchanged           4",
        "b.yml   replaced            2",
    ]
    assert lines[3].startswith("Diego learned 2 statements from 1 of 2 sources, in ")


def test_the_time_of_a_training_is_that_of_all_its_parts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    def takes(seconds: float, do: Callable[..., T]) -> Callable[..., T]:
        def slowly(*arguments: object, **options: object) -> T:
            nonlocal clock
            clock += seconds
            return do(*arguments, **options)

        return slowly

    monkeypatch.setattr("chatbot.__main__.monotonic", lambda: clock)
    monkeypatch.setattr("chatbot.__main__.learn", takes(20, learn))
    monkeypatch.setattr("chatbot.__main__.work_out", takes(50, work_out))
    assert run("train", "a.csv").endswith("Diego learned 4 statements from 1 of 1 sources, in 70.0 s.\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_what_takes_long_is_shown_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    for command in ("train", "forget"):
        assert main([command, "a.csv"]) == 0
        assert ("Working out the replies …" in capsys.readouterr().err) == terminal


@pytest.mark.parametrize(
    ("part", "command", "known"),
    [
        ("learn", ("train", "b.yml"), {"Hi"}),
        ("work_out", ("train", "b.yml"), {"Hi", "Sun", "Moon"}),
        ("forget", ("forget", "a.csv"), {"Hi"}),
        ("work_out", ("forget", "a.csv"), set()),
    ],
)
def test_ctrl_c_is_answered_with_what_it_leaves(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    command: tuple[str, str],
    known: set[str],
) -> None:
    def interrupted(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    main(["train", "a.csv"])
    capsys.readouterr()
    monkeypatch.setattr(f"chatbot.__main__.{part}", interrupted)
    assert main([*command]) == 130
    assert capsys.readouterr() == ("", f"Stopped. {STORED if part == 'work_out' else UNCHANGED}\n")
    assert {prompt for prompt, _ in said()} == known


def test_a_dry_run_changes_nothing(run: Run) -> None:
    assert "Nothing is wrong; Diego would learn 7 statements from 2 of 2 sources, in " in run("train", "--dry-run", ".")
    assert said() == []


def test_sources_shows_what_he_was_trained_on(run: Run) -> None:
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as storage:
        train(storage, ("b.yml",))
        (source,) = storage.sources()
    run("train", "a.csv")
    header, command, setting, total = run("sources").splitlines()
    assert header.split() == ["source", "statements", "trained", "by"]
    assert re.fullmatch(r"a.csv            4  \d{4}-\d\d-\d\d \d\d:\d\d  command", command)
    assert setting == f"b.yml            3  {source.trained_at.astimezone():%Y-%m-%d %H:%M}  DIEGO_CORPORA"
    assert datetime.now().astimezone() >= source.trained_at
    assert total == "Statements from 2 sources: 7."


def test_forget_takes_away_what_came_from_a_source(run: Run) -> None:
    run("train", ".")
    assert run("forget", "./a.csv") == "Diego forgot a.csv: 4 statements.\n"
    assert said() == [("Sun", "Moon"), ("Moon", "Star")]


def test_lessons_shows_what_nobody_has_decided_on(run: Run, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("lessons").splitlines() == [
        "lesson  taught  visitors  prompt => reply",
        "Lessons to decide on: 0.",
    ]
    monkeypatch.setattr("chatbot.bot.lessons.time.time", datetime(2026, 11, 21, 9, 0).astimezone().timestamp)
    diary.lessons.teach(ANN, "Sun", "Moon")
    diary.lessons.teach(BOB, "sun!", "Moon")
    diary.lessons.teach(ANN, "Hi", 'Say "\x1b[31m\n\u202e\x7f\x9b 😀"')
    shown = run("lessons")
    assert shown.splitlines() == [
        "lesson  taught            visitors  prompt => reply",
        '1       2026-11-21 09:00  2         "Sun" => "Moon"',
        r'3       2026-11-21 09:00  1         "Hi" => "Say \"[31m\n\u202e 😀\""',
        "Lessons to decide on: 2.",
    ]
    assert ANN not in shown


def test_approve_makes_a_lesson_knowledge(run: Run, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_CORPORA", "b.yml")
    diary.lessons.teach(ANN, "Hi", "Hello")
    assert run("approve", "1") == 'Lesson 1 is what everybody\'s Diego knows now: "Hi" => "Hello".\n'
    assert run("lessons").endswith("Lessons to decide on: 0.\n")
    assert re.search(r"^lesson 1 +2  \d{4}-\d\d-\d\d \d\d:\d\d  command$", run("sources"), re.MULTILINE)
    reply, _, matched, _ = run("ask", "hi", "--why").splitlines()
    assert (reply, matched) == ("Hello", 'matched: "Hi" from lesson 1:1, confidence 1.00')
    assert run("forget", "lesson 1") == "Diego forgot lesson 1: 2 statements.\n"
    assert run("ask", "hi") != "Hello\n"


def test_reject_leaves_a_lesson_to_the_visitor(run: Run, diary: Diary) -> None:
    diary.lessons.teach(ANN, "Hi", "Hello")
    assert run("reject", "1") == 'Lesson 1 stays with those who taught it: "Hi" => "Hello".\n'
    assert run("lessons").endswith("Lessons to decide on: 0.\n")
    assert [lesson.prompt for lesson in diary.lessons.of(ANN)] == ["Hi"]
    assert said() == []


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_what_is_not_to_be_decided_on_is_refused(run: Run, diary: Diary, command: str) -> None:
    diary.lessons.teach(ANN, "Hi", "Hello")
    run("reject", "1")
    for number in ("1", "2"):
        assert run.refused(command, number) == (
            f"There is no lesson {number} to decide on: it is unknown or has been decided on. "
            "See python -m chatbot lessons.\n"
        )


def test_forget_takes_away_all_of_a_visitor(run: Run, diary: Diary) -> None:
    for visitor in (ANN, BOB):
        written = Event()
        diary.turns.add(
            Turn(visitor, 1, None, "Hi", "Hello", 1.0, "", 0.0),
            lambda _, written=written: written.set(),  # type: ignore[misc]
        )
        assert written.wait(30)
        diary.call(visitor, "Someone")
        diary.lessons.teach(visitor, f"I am {visitor}", "Hello")
    run("approve", "1")
    assert [lesson.visitor for lesson in diary.lessons.of(ANN)] == [ANN]
    assert run("forget", "--visitor", ANN).splitlines() == [
        f"Diego forgot all that there was of visitor {ANN}; lessons: 1.",
        "Diego forgot lesson 1: 2 statements.",
    ]
    assert (diary.turns.last_number(ANN), diary.name(ANN), diary.lessons.of(ANN), said()) == (0, None, [], [])
    assert (diary.turns.last_number(BOB), diary.name(BOB), len(diary.lessons.of(BOB))) == (1, "Someone", 1)
    assert run.refused("forget", "--visitor", ANN) == f"Diego knows nothing of a visitor {ANN}.\n"


@pytest.mark.parametrize("time", ["2026-11-21", "2026-11-21 00:00", "2026-11-21T00:00:00"])
def test_forget_takes_away_what_was_taught_since_a_local_time(
    run: Run, diary: Diary, monkeypatch: pytest.MonkeyPatch, time: str
) -> None:
    midnight = datetime(2026, 11, 21).astimezone().timestamp()
    for prompt, taught_at in (("Hi", midnight - 1), ("Sun", midnight), ("Rain", midnight + 1)):
        monkeypatch.setattr("chatbot.bot.lessons.time.time", lambda taught_at=taught_at: taught_at)
        diary.lessons.teach(ANN, prompt, "Hello")
    for number in ("1", "2"):
        run("approve", number)
    assert run("forget", "--since", time).splitlines() == [
        "Diego forgot what visitors taught since 2026-11-21 00:00; lessons: 2.",
        "Diego forgot lesson 2: 2 statements.",
    ]
    assert said() == [("Hi", "Hello")]
    assert [lesson.prompt for lesson in diary.lessons.of(ANN)] == ["Hi"]


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "0001-01-01"])
def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], time: str) -> None:
    with pytest.raises(SystemExit):
        main(["forget", "--since", time])
    assert f'expected a time like 2026-11-21 or "2026-11-21 09:00", but got {time}' in capsys.readouterr().err


def test_what_was_exported_can_be_trained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("train", ".")
    before = said()
    printed = run("export")
    assert run("export", "all.yml") == ""
    assert Path("all.yml").read_text() == printed
    monkeypatch.setenv("DIEGO_DATABASE_URL", "sqlite:///other.db")
    run("train", "all.yml")
    assert run("export") == printed
    assert len(before) == printed.count("\n  - ")


def test_an_export_that_fails_leaves_what_was_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lines() -> Iterator[str]:
        yield "categories: []\n"
        raise OSError(errno.EFBIG, "File too large")

    run("train", ".")
    run("export", "all.yml")
    before = Path("all.yml").read_text()
    monkeypatch.setattr("chatbot.__main__.corpus", lambda _: lines())
    files = sorted(Path().iterdir())
    assert run.refused("export", "all.yml") == "all.yml cannot be written: File too large.\n"
    assert Path("all.yml").read_text() == before
    assert sorted(Path().iterdir()) == files


def test_an_export_keeps_the_mode_of_the_file_and_the_link_to_it(run: Run) -> None:
    Path("all.yml").touch(mode=0o600)
    Path("link.yml").symlink_to("all.yml")
    run("export", "link.yml")
    assert Path("link.yml").is_symlink()
    assert Path("all.yml").read_text() == run("export")
    assert Path("all.yml").stat().st_mode & 0o777 == 0o600


def test_an_export_does_not_take_the_place_of_a_pipe(run: Run) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("export", "pipe") == ""
        assert os.read(reader, 1000).decode() == run("export")
    finally:
        os.close(reader)


@only_sqlite
@pytest.mark.parametrize(
    "name",
    [
        "diego.db",
        "./diego.db-wal",
        "diego.db-shm",
        "link.db",
        "diego.db.visitors",
        "diego.db.visitors-wal",
        "diego.db.key",
    ],
)
def test_an_export_does_not_take_the_place_of_what_diego_needs(run: Run, name: str) -> None:
    run("train", ".")
    Path("link.db").symlink_to("diego.db")
    before = said()
    sentence = "is a file in which Diego keeps what he needs. Name another file."
    assert run.refused("export", name) == f"{Path(name)} {sentence}\n"
    assert said() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "nowhere.csv"), "nowhere.csv: there is no such file, folder or corpus."),
        (("train", "a.csv", "bad.csv"), "bad.csv:1: expected a header with the columns text and reply"),
        (("forget", ""), "Expected the name of a file, folder or corpus, but got an empty one."),
        (("forget", "a.cvs"), "a.cvs: Diego was not trained on anything of that name."),
        (("export", "nowhere/all.yml"), "nowhere/all.yml cannot be written: No such file or directory."),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    Path("bad.csv").write_text("text;reply\n")
    assert run.refused(*arguments).startswith(sentence)
    assert said() == []


def test_a_wrong_setting_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_DATABASE_URL", "mysql:///x")
    assert run.refused("sources").startswith("DIEGO_DATABASE_URL is 'mysql:///x'; it must be sqlite:///PATH")


def test_what_cannot_be_moved_is_refused(run: Run) -> None:
    known, postgresql = "sqlite:///diego.db", "postgresql+psycopg://diego@127.0.0.1/diego"
    assert run.refused("migrate", "--from", "x", "--to", postgresql).startswith("--from is 'x'; it must be sqlite:///")
    assert run.refused("migrate", "--from", known, "--to", "x").startswith("--to is 'x'; it must be sqlite:///")
    for ends in ([known, known], [postgresql, known], [postgresql, postgresql]):
        assert run.refused("migrate", "--from", ends[0], "--to", ends[1]).startswith("What is moved goes from a file ")
    assert run.refused("migrate", "--from", known, "--to", postgresql).startswith("There is no file diego.db, so ")
    assert not Path("diego.db").exists()


@only_sqlite
def test_it_is_said_which_flag_names_a_database_that_cannot_be_used(run: Run) -> None:
    run("train", "a.csv")
    known, nowhere = "sqlite:///diego.db", "postgresql+psycopg://diego@127.0.0.1:1/diego"
    assert run.refused("migrate", "--from", known, "--to", nowhere).endswith("exist, and that --to is right.\n")
    Path("diego.db").write_bytes(b"No database. " * 100)
    assert run.refused("migrate", "--from", known, "--to", nowhere).endswith("name another file with --from.\n")


def test_ask_says_the_reply(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_CORPORA", "b.yml")
    assert run("ask", "  sun?") == "Moon\n"


def test_ask_why_says_the_reason_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIEGO_CORPORA", "b.yml")
    reply, how, matched, time = run("ask", "sun", "--why").splitlines()
    assert reply == "Moon"
    assert how == "the same prompt (KnownPrompt, confidence 1.00)"
    assert matched == 'matched: "Sun" from b.yml:2, confidence 1.00'
    assert re.fullmatch(r"in \d+\.\d\d ms", time)


@pytest.mark.parametrize("text", ["", " \n", "x" * 1001])
def test_ask_refuses_what_the_server_refuses(run: Run, text: str) -> None:
    assert run.refused("ask", text).strip() in (BLANK, TOO_LONG.strip())


def test_evaluate_prints_a_table(run: Run) -> None:
    Path("test.csv").write_text("text,reply\nSun,Moon\nzz,\n")
    lines = run("evaluate", "--train", "b.yml", "--test", "test.csv").splitlines()
    assert lines[0].split("  ")[0] == "threshold"
    assert "0.50 *     100.0 %          100.0 %" in lines
    assert lines[-1].startswith("* is Diego's own threshold. Accuracy without a threshold: 100.0 %.")
    assert not Path("diego.db").exists()


def test_evaluate_prints_one_json_object(run: Run) -> None:
    Path("test.csv").write_text("text,reply\nSun,Moon\n")
    figures = json.loads(run("evaluate", "--json", "--train", "b.yml", "--test", "test.csv"))
    assert list(figures) == [
        *("accuracy", "in_scope_accuracy", "out_of_scope_recall", "threshold"),
        *("p50_ms", "p99_ms", "train_s", "rss_mb"),
    ]
    assert figures["accuracy"] == 1
    assert figures["out_of_scope_recall"] is None


def test_evaluate_refuses_what_is_not_there(run: Run) -> None:
    assert run.refused("evaluate", "--train", "b.yml", "--test", "nowhere.csv").startswith("nowhere.csv: there is no")


@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("learn",), ("train",), ("forget",), ("approve",), ("approve", "one")),
        *(("forget", "a.csv", "--since", "2026-11-21"), ("forget", "--visitor", ANN, "--since", "2026-11-21")),
    ],
)
def test_what_is_no_command_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2


@pytest.mark.server
@only_sqlite
def test_ctrl_c_while_training_leaves_what_he_knew(tmp_path: Path, run: Run) -> None:
    run("train", "a.csv")
    with Path("large.csv").open("w") as file:
        file.write("text,reply\n")
        file.writelines(f"What is the number {number}?,It is the number {number}.\n" for number in range(500_000))
    with launched(tmp_path, "-m", "chatbot", "train", "large.csv") as training:
        written = Path("diego.db-wal")
        wait_for(lambda: written.exists() and written.stat().st_size > 1_000_000, training)
        assert training.stop(signal.SIGINT) == 130
        assert training.log == "Stopped. What Diego knows is as it was.\n"
    assert said() == [("Hi", "Hello"), ("Hi", "Hey")]


@pytest.mark.server
@only_sqlite
def test_a_backup_that_is_ended_leaves_no_copies_behind(tmp_path: Path, run: Run) -> None:
    run("train", "a.csv")
    Diary(url_in("", "diego.db.visitors")).close()
    with closing(sqlite3.connect("diego.db.visitors")) as database:
        database.execute("CREATE TABLE large AS SELECT randomblob(100000000)")
        database.commit()
    with launched(tmp_path, "-m", "chatbot", "backup", "b.zip") as backing_up:
        wait_for(lambda: [*Path().glob(".backup-*")], backing_up)
        assert backing_up.stop(signal.SIGTERM) == 130
        assert backing_up.log == "Stopped. b.zip is as it was.\n"
    assert not [*Path().glob(".backup-*")]


@pytest.mark.server
def test_output_into_a_closed_pipe_ends_quietly(run: Run) -> None:
    run("train", "chatterbot.corpus.english")
    with subprocess.Popen(
        [sys.executable, "-m", "chatbot", "export"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as exporting:
        assert exporting.stdout is not None
        assert exporting.stderr is not None
        assert exporting.stdout.readline() == b"categories: []\n"
        exporting.stdout.close()
        assert exporting.stderr.read() == b""
        assert exporting.wait() == 0


@pytest.mark.server
@pytest.mark.parametrize("command", ["export", "sources"])
def test_output_that_cannot_be_written_is_told(run: Run, command: str) -> None:
    run("train", "a.csv")
    with Path("/dev/full").open("w") as full:
        printing = subprocess.run(
            [sys.executable, "-m", "chatbot", command],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert printing.stderr == "Diego cannot go on: [Errno 28] No space left on device.\n"
    assert printing.returncode == 1


@pytest.mark.server
def test_what_the_terminal_cannot_show_does_not_end_in_an_error() -> None:
    ascii_only = environment(PYTHONIOENCODING="ascii", DIEGO_CORPORA="b.yml")
    Path("b.yml").write_text("conversations:\n- [Sun, 😀!]\n")
    asked = subprocess.run(
        [sys.executable, "-m", "chatbot", "ask", "sun"], env=ascii_only, capture_output=True, check=True
    )
    assert asked.stdout == b"?!\n"


@pytest.mark.server
def test_a_training_in_a_process_of_its_own_shows_no_bar_where_there_is_no_terminal() -> None:
    trained = subprocess.run(
        [sys.executable, "-m", "chatbot", "train", "a.csv"],
        env=environment(),
        capture_output=True,
        check=True,
        text=True,
    )
    assert trained.stdout.startswith("source  outcome  statements\n")
    assert trained.stderr == ""


@only_sqlite
def test_a_backup_is_made_and_restored(run: Run) -> None:
    run("train", "a.csv")
    Diary(url_in("", "diego.db.visitors")).close()
    assert re.match(r"The backup is b\.zip: \d+\.\d MB, unpacked\. Whoever has it has ", run("backup", "b.zip"))
    before = said()
    run("train", "b.yml")
    assert said() != before
    assert re.fullmatch(
        r"Diego is as he was on \d{4}-\d\d-\d\d at \d\d:\d\d: \d+\.\d MB, unpacked\.\n", run("restore", "b.zip")
    )
    assert said() == before
    assert "is no backup of Diego's" in run.refused("restore", "a.csv")
    assert "is a file in which Diego keeps what he needs" in run.refused("backup", "diego.db")
