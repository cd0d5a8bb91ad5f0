import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.__main__ import main
from chatbot.bot import backup
from chatbot.bot.backup import KEY, KNOWLEDGE, VISITORS, BackupError, back_up, complete, restore
from chatbot.bot.database import StorageError
from chatbot.bot.diary import Diary
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import learn
from chatbot.settings import Settings
from tests.databases import only_sqlite
from tests.diaries import ANN, BOB, said, say
from tests.processes import environment

FILE = Path("backup.zip")
SERVICE = 10001
FILES = ("diego.db", "diego.db.visitors", "diego.db.key")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """For a Diego who knows what was said before, and has a backup; since then something else was said."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(database_url="sqlite:///diego.db")
    settings.key_file.write_text("1" * 64)
    know("before")
    tell(settings, "before")
    back_up(settings, FILE)
    settings.key_file.write_text("2" * 64)
    know("after")
    tell(settings, "after")
    return settings


def know(text: str) -> None:
    Path("a.csv").write_text(f"text,reply\nWhen?,{text}\n")
    with closing(KnowledgeStorage(database_uri="sqlite:///diego.db")) as storage:
        learn(storage, ("a.csv",))


def tell(settings: Settings, text: str) -> None:
    with closing(Diary(settings.visitors_url)) as diary:
        for visitor in (ANN, BOB):
            say(diary, visitor, f"{text} {visitor}")
            diary.lessons.teach(visitor, text, text)
            diary.room.keep([said(f"{text} {visitor}", visitor)])
            diary.call(visitor, text)


def state(settings: Settings) -> list[object]:
    """What Diego knows, what he keeps of Bob, and the key."""
    with closing(KnowledgeStorage(database_uri="sqlite:///diego.db")) as storage:
        replies = [pair.reply for pair in storage.pairs()]
    with closing(Diary(settings.visitors_url)) as diary:
        turns = [turn.prompt.split()[0] for turn in diary.turns.before(BOB, 1000, 100)]
        lessons = [lesson.prompt for lesson in diary.lessons.of(BOB)]
        room = [one.text.split()[0] for one in diary.room.of(BOB)]
        return [replies, turns, lessons, room, diary.name(BOB), settings.key_file.read_text()[0]]


BEFORE = [["before"], ["before"], ["before"], ["before"], "before", "1"]
AFTER = [["after"], ["before", "after"], ["before", "after"], ["before", "after"], "after", "2"]


def refusal(settings: Settings) -> str:
    """Why the backup is not restored; nothing is changed."""
    there = {path.name for path in Path().iterdir()}
    with pytest.raises(BackupError) as refused:
        restore(settings, FILE)
    assert {path.name for path in Path().iterdir()} == there
    assert state(settings) == AFTER
    return str(refused.value)


def test_all_is_as_it_was(settings: Settings) -> None:
    assert state(settings) == AFTER
    restored = restore(settings, FILE)
    assert state(settings) == BEFORE
    assert restored.bytes == sum(info.file_size for info in zipfile.ZipFile(FILE).infolist()[1:])
    assert {path.name for path in Path().iterdir()} == {*FILES, "a.csv", "backup.zip", "diego.db.cache"}
    assert {Path(name).stat().st_mode & 0o777 for name in FILES[1:]} == {0o600}


def test_only_its_owner_may_read_a_backup_and_half_of_one_takes_no_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FILE.stat().st_mode & 0o777 == 0o600
    before = FILE.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(BackupError, match=r"^The backup backup.zip cannot be written: No space left on device\.$"):
        back_up(settings, FILE)
    assert FILE.read_bytes() == before
    assert not [*Path().glob(".backup-*")]


def test_a_place_that_is_not_there_and_nothing_to_back_up_are_told(settings: Settings) -> None:
    with pytest.raises(BackupError, match=r"^The backup nowhere/b.zip cannot be written: No such file or directory\.$"):
        back_up(settings, Path("nowhere/b.zip"))
    Path("diego.db.visitors").unlink()
    with pytest.raises(BackupError, match="there is no database diego.db.visitors"):
        back_up(settings, FILE)
    assert not Path("diego.db.visitors").exists()


def test_a_backup_takes_the_place_of_no_pipe_or_device(settings: Settings) -> None:
    os.mkfifo("pipe")
    with pytest.raises(BackupError, match=r"^pipe is no file, and nothing else can take a backup\. Name a file\.$"):
        back_up(settings, Path("pipe"))
    assert Path("pipe").is_fifo()


def test_a_backup_is_of_one_moment_although_others_write(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def write(_seconds: float) -> None:
        with closing(sqlite3.connect("diego.db.visitors")) as other:
            other.execute("INSERT INTO visitor VALUES (?, 'late')", (f"late {len(written)}",))
            other.commit()
        written.append(1)

    with monkeypatch.context() as slowly:
        slowly.setattr(backup, "_PAGES", 1)
        slowly.setattr("chatbot.bot.backup.time.sleep", write)
        back_up(settings, FILE)
    assert len(written) > 10
    restore(settings, FILE)
    with closing(sqlite3.connect("diego.db.visitors")) as database:
        assert database.execute("SELECT count(*) FROM visitor WHERE name = 'late'").fetchone() == (0,)


def test_who_was_forgotten_since_stays_so_and_leaves_no_trace(settings: Settings) -> None:
    with closing(Diary(settings.visitors_url)) as diary:
        diary.forget(ANN)
    restore(settings, FILE)
    assert state(settings) == BEFORE
    with closing(Diary(settings.visitors_url)) as diary:
        assert ANN in diary.forgotten
        assert not diary.knows(ANN)
        assert diary.lessons.of(ANN) == []
    assert not any(ANN.encode() in path.read_bytes() for path in Path().glob("diego.db*") if path.is_file())


def test_who_is_forgotten_while_it_is_restored_stays_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    take_over = Diary.take_over
    times = []

    def forget_meanwhile(self: Diary, *known: object) -> None:
        take_over(self, *known)  # type: ignore[arg-type]
        times.append(1)
        if len(times) == 1:
            with closing(Diary(settings.visitors_url)) as diary:
                diary.forget(ANN)

    monkeypatch.setattr(Diary, "take_over", forget_meanwhile)
    restore(settings, FILE)
    assert len(times) == 2
    with closing(Diary(settings.visitors_url)) as diary:
        assert ANN in diary.forgotten
        assert not diary.knows(ANN)


def test_no_number_is_given_twice(settings: Settings) -> None:
    with closing(Diary(settings.visitors_url)) as diary:
        lesson = diary.lessons.of(BOB)[-1].id
        message = diary.room.last()[-1].number
    restore(settings, FILE)
    with closing(Diary(settings.visitors_url)) as diary:
        assert diary.lessons.teach(BOB, "new", "new").id > lesson
        (kept,) = diary.room.keep([said("new", BOB)])
        assert kept is not None
        assert kept.number > message


def test_a_server_notices_it_once_and_lets_go_of_what_it_held(settings: Settings) -> None:
    with closing(Diary(settings.visitors_url)) as diary:
        let_go: list[int] = []
        diary.on_restore.append(lambda: let_go.append(1))
        assert not diary.notice_restore()
        restore(settings, FILE)
        assert diary.notice_restore()
        assert not diary.notice_restore()
        assert let_go == [1]
        assert diary.turns.last_number(BOB) == 1


def test_it_is_restored_where_there_was_nothing(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(FILE, elsewhere)
    os.chdir(elsewhere)
    restore(settings, FILE)
    assert state(settings) == BEFORE
    os.chdir(tmp_path)


@only_sqlite
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_restores_is_of_the_user_whose_folder_it_is(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(settings.key_file, folder / "diego.db.key")  # another one than that of the backup
    for path in (folder, folder / "diego.db.key"):
        os.chown(path, SERVICE, SERVICE)
    monkeypatch.setenv("DIEGO_DATABASE_URL", f"sqlite:///{folder}/diego.db")
    assert main(["restore", str(FILE)]) == 0
    found = {path.name: path.stat().st_uid for path in folder.rglob("*")}
    assert {*FILES} <= {*found}
    assert {*found.values()} == {SERVICE}


def damage_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 4096 + path.read_bytes()[4096:])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def damage_pages(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192] + b"\xff" * (path.stat().st_size - 8192))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_header, truncate, damage_pages, empty, Path.unlink])
@pytest.mark.parametrize("name", ["diego.db", "diego.db.visitors"])
def test_it_is_the_way_out_of_a_damaged_database(
    settings: Settings, damage: Callable[[Path], None], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Diary(settings.visitors_url)) as diary:
        diary.forget(ANN)
    damage(Path(name))
    restore(settings, FILE)
    assert state(settings) == BEFORE
    kept = f"{name} was damaged and is kept as {name}.damaged. A server that runs must be restarted."
    assert caplog.messages == [kept] * Path(f"{name}.damaged").exists()
    if name == "diego.db":
        with closing(Diary(settings.visitors_url)) as diary:
            assert ANN in diary.forgotten


def repack(change: Callable[[dict[str, bytes]], object]) -> None:
    """The backup with other content, whose manifest is right about it unless the change is of the manifest."""
    with zipfile.ZipFile(FILE) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    change(packed)
    with zipfile.ZipFile(FILE, "w") as archive:
        for name, content in packed.items():
            archive.writestr(name, content)


def write_manifest(packed: dict[str, bytes], **fields: object) -> None:
    packed["manifest.json"] = json.dumps({**json.loads(packed["manifest.json"]), **fields}).encode()


WRONG: dict[str, Callable[[], object]] = {
    "text": lambda: FILE.write_text("text,reply\nHi,Hello\n"),
    "empty": lambda: FILE.write_bytes(b""),
    "truncated": lambda: FILE.write_bytes(FILE.read_bytes()[:-500]),
    "damaged": lambda: FILE.write_bytes(FILE.read_bytes()[:2000] + b"\xff" * 99 + FILE.read_bytes()[2099:]),
    "another archive": lambda: repack(lambda packed: packed.pop("manifest.json")),
    "another manifest": lambda: repack(lambda packed: packed.update({"manifest.json": b"[]"})),
    "no visitors": lambda: repack(lambda packed: packed.pop(VISITORS)),
    "another database": lambda: repack(lambda packed: packed.update({KNOWLEDGE: packed[VISITORS]})),
    "a longer one": lambda: repack(lambda packed: packed.update({KNOWLEDGE: packed[KNOWLEDGE] + b"1"})),
    "no time": lambda: repack(lambda packed: write_manifest(packed, made_at="yesterday")),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_whole_backup_is_refused(settings: Settings, wrong: Callable[[], object]) -> None:
    wrong()
    sentence = refusal(settings)
    assert sentence.startswith("backup.zip is no backup of Diego's, or is damaged or incomplete: ")
    assert sentence.endswith(". Nothing was restored; take another backup.")


def test_a_backup_of_a_later_format_is_refused(settings: Settings) -> None:
    repack(lambda packed: write_manifest(packed, diego_backup=2))
    assert "is a backup of another version of Diego" in refusal(settings)


def _with_right_hashes(name: str, content: bytes) -> None:
    def change(packed: dict[str, bytes]) -> None:
        packed[name] = content
        about = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        write_manifest(packed, files={**json.loads(packed["manifest.json"])["files"], name: about})

    repack(change)


def test_what_a_backup_holds_is_checked_too(settings: Settings) -> None:
    with closing(sqlite3.connect("other.db")) as other:
        other.execute("CREATE TABLE turn (number INTEGER)")
    _with_right_hashes(VISITORS, Path("other.db").read_bytes())
    assert "backup.zip holds what Diego cannot use. Nothing was restored." in refusal(settings)
    _with_right_hashes(VISITORS, b"no database" * 1000)
    assert "file is not a database" in refusal(settings)


def test_a_key_that_is_too_short_is_refused(settings: Settings) -> None:
    _with_right_hashes(KEY, b"short")
    assert "holds a key of less than 16 characters" in refusal(settings)


def test_a_file_that_is_not_there_is_told(settings: Settings) -> None:
    FILE.unlink()
    assert refusal(settings) == "The backup backup.zip cannot be restored: No such file or directory."


def test_while_a_database_is_locked_it_is_told_and_completed_afterwards(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_LOCK_SECONDS", 0.1)
    with closing(sqlite3.connect("diego.db.visitors", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackupError, match=r"diego\.db\.visitors is locked by another program.* is ready in "):
            restore(settings, FILE)
        other.execute("ROLLBACK")
    complete(settings)
    assert state(settings) == BEFORE


def test_who_does_not_wait_leaves_it_to_who_is_at_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(*_: object) -> None:
        with pytest.raises(BlockingIOError):
            complete(settings, wait=False)
        raise StorageError("stopped")

    with monkeypatch.context() as while_at_it:
        while_at_it.setattr(backup, "_overwrite", another)
        with pytest.raises(BackupError, match="stopped"):
            restore(settings, FILE)
    complete(settings, wait=False)
    assert state(settings) == BEFORE


# Ends the process at a moment, counted in what the module calls and in the pages that are copied.
_KILLED = """
import os, signal, sys
from pathlib import Path
from chatbot.bot import backup
from chatbot.settings import Settings
last, moment = int(sys.argv[1]), 0
def count(frame, event, _argument):
    global moment
    if event in ("call", "c_call") and frame.f_code.co_filename == backup.__file__:
        moment += 1
        if moment == last:
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(count)
backup.restore(Settings(database_url="sqlite:///diego.db"), Path("backup.zip"))
sys.setprofile(None)
print(moment)
"""


def restore_until(moment: int) -> subprocess.CompletedProcess[str]:
    """What came of a restore in another process that is killed at that moment."""
    command = [sys.executable, "-c", _KILLED, str(moment)]
    return subprocess.run(command, env=environment(), check=False, capture_output=True, text=True)


def test_a_restore_that_is_killed_leaves_all_or_nothing(settings: Settings) -> None:
    whole = {name: Path(name).read_bytes() for name in FILES}
    moments = int(restore_until(0).stdout)
    found = []
    for moment in range(moments // 12, moments, moments // 12):
        for name, content in whole.items():
            Path(name).write_bytes(content)
        assert restore_until(moment).returncode == -signal.SIGKILL
        complete(settings)  # as every start and command does
        found.append(state(settings))
    assert [one for one in found if one not in (BEFORE, AFTER)] == []
    assert found[0] == AFTER
    assert found[-1] == BEFORE
    restore(settings, FILE)
    assert {path.name for path in Path().iterdir()} == {*FILES, "a.csv", "backup.zip", "diego.db.cache"}
