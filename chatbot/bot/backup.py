"""Backups: all that Diego keeps, in one file, and back. Both work beside a running server.

What is restored is first made ready in a folder beside the databases, whose name is the commit: whoever finds that
folder, this process or another, puts what is in it in the place of what was.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import sqlite3
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from chatbot import SetupError
from chatbot.bot.cache import training
from chatbot.bot.database import StorageError, database_path, errors_as_sentences, file_url, is_damaged, is_file
from chatbot.bot.diary import Diary
from chatbot.bot.owner import hand_over
from chatbot.bot.storage import KnowledgeStorage
from chatbot.settings import MIN_KEY_CHARACTERS, Settings

logger = logging.getLogger(__name__)

FORMAT = 1
"""To be counted up when a Diego of before could not use what is in a backup."""

KNOWLEDGE, VISITORS, KEY = "knowledge.db", "visitors.db", "secret.key"
_MANIFEST = "manifest.json"
_MOST_MANIFEST = 64 * 1024
_PIECE = 1 << 20

_PAGES = 256
"""How many pages of a database are copied before others get their turn at the disk."""

_PAUSE_SECONDS = 0.002

_NO_BACKUP = (sqlite3.Error, zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError, RuntimeError)


class BackupError(SetupError):
    """A backup cannot be made or used; the message says why."""


class Backup(NamedTuple):
    """When it was made, and how large its files are together."""

    made_at: datetime
    bytes: int


class _Changed(Exception):
    """Somebody was forgotten, or numbers were given, while a restore was made ready for what was there before."""


def back_up(settings: Settings, file: Path) -> Backup:
    """Write all that Diego keeps into a file that only its owner may read, in the place of what was there.

    Raises BackupError or StorageError, and that file is as it was.
    """
    _refuse_servers(settings)
    for path in _databases(settings).values():
        if not path.is_file():
            raise BackupError(f"There is nothing to back up: there is no database {path}.")
    if file.exists() and not file.is_file():
        raise BackupError(f"{file} is no file, and nothing else can take a backup. Name a file.")
    try:
        with TemporaryDirectory(prefix=".backup-", dir=file.parent) as name:
            folder = Path(name)
            _copy_all(settings, folder)
            manifest = _manifest(folder)
            (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1))
            packed = _pack(folder, [_MANIFEST, *manifest["files"]])
            packed.replace(file)
            _sync(file.parent)
    except OSError as error:
        raise BackupError(f"The backup {file} cannot be written: {error.strerror or error}.") from None
    return _summary(manifest)


def restore(settings: Settings, file: Path) -> Backup:
    """Put what is in a backup in the place of what Diego keeps, but for whom he was made to forget since.

    All is checked first. Raises BackupError or StorageError, and all is as it was; or if the message says so, it is
    ready, and the next who can completes it.
    """
    _refuse_servers(settings)
    complete(settings)
    pending = _pending(settings)
    try:
        for interrupted in pending.parent.glob(f".{pending.name}-*"):
            shutil.rmtree(interrupted, ignore_errors=True)
        with TemporaryDirectory(prefix=f".{pending.name}-", dir=pending.parent) as name:
            folder = Path(name, "ready")
            folder.mkdir(mode=0o700)
            manifest = _unpack(file, folder)
            _check(file, folder)
            for one in folder.iterdir():
                _sync(one)
            _sync(folder)
            hand_over(folder.parent, folder.name, pending.parent)
            folder.rename(pending)
            _sync(pending.parent)
    except OSError as error:
        raise BackupError(f"The backup {file} cannot be restored: {error.strerror or error}.") from None
    try:
        complete(settings)
    except StorageError as error:
        raise BackupError(
            f"{error} The backup has been checked and is ready in {pending}: a server that runs, or the next start or "
            "command, puts it in its place when that is over."
        ) from None
    return _summary(manifest)


def complete(settings: Settings, *, wait: bool = True) -> None:
    """Put what a restore has made ready in its place, if there is any: it may have been interrupted.

    Raises StorageError, and BlockingIOError if it is not to wait and another process is at it.
    """
    if not is_file(settings.database_url):
        return
    pending = _pending(settings)
    if not pending.is_dir():
        return
    with _alone(pending, wait=wait):
        if not pending.is_dir():  # another process has done it
            return
        live = _databases(settings)
        if _restored(live[VISITORS]) != _restored(pending / VISITORS):
            if (pending / KEY).exists():
                _replace_key(pending / KEY, settings.key_file)
            _overwrite(live[KNOWLEDGE], pending / KNOWLEDGE)
            _overwrite_visitors(live[VISITORS], pending / VISITORS)
        with TemporaryDirectory(prefix=f".{pending.name}-", dir=pending.parent) as name:
            pending.rename(Path(name, "done"))  # else half of it would stay if this were interrupted


def _refuse_servers(settings: Settings) -> None:
    if not is_file(settings.database_url):
        raise BackupError(
            "PostgreSQL has backups of its own: take one with pg_dump, and take it back with pg_restore while Diego is "
            "stopped."
        )


def _databases(settings: Settings) -> dict[str, Path]:
    return {KNOWLEDGE: database_path(settings.database_url), VISITORS: database_path(settings.visitors_url)}


def _pending(settings: Settings) -> Path:
    path = database_path(settings.database_url).absolute()
    return path.with_name(f"{path.name}.restore")


def _sync(path: Path) -> None:
    """Have a file or folder on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _alone(folder: Path, *, wait: bool) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _copy_all(settings: Settings, folder: Path) -> None:
    """Copies of both databases as they were at one moment, and of the key."""
    live = _databases(settings)
    # They check the files and bring them to the present version; nobody approves a lesson between the two snapshots.
    with (
        closing(KnowledgeStorage(database_uri=settings.database_url)) as storage,
        closing(Diary(settings.visitors_url)),
    ):
        with training(storage):
            sources = {name: _snapshot(path) for name, path in live.items()}
        for name, source in sources.items():
            with (
                errors_as_sentences(file_url(live[name])),
                closing(source),
                closing(sqlite3.connect(folder / name)) as copy,
            ):
                source.backup(copy, pages=_PAGES, progress=lambda *_: time.sleep(_PAUSE_SECONDS))
                copy.execute("PRAGMA journal_mode=DELETE")  # all of it is in one file
    if settings.key_file.exists():
        shutil.copyfile(settings.key_file, folder / KEY)


def _snapshot(path: Path) -> sqlite3.Connection:
    """A connection that sees the database as it is now; otherwise every write of others would begin a copy anew."""
    with errors_as_sentences(file_url(path)):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM sqlite_master").fetchone()
    return connection


def _manifest(folder: Path) -> dict[str, Any]:
    files = {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(folder.iterdir())}
    return {"diego_backup": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds"), "files": files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(folder: Path, names: list[str]) -> Path:
    packed = folder / "packed"
    packed.touch(mode=0o600)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            archive.write(folder / name, name)
    _sync(packed)
    return packed


def _summary(manifest: dict[str, Any]) -> Backup:
    size = sum(about["bytes"] for about in manifest["files"].values())
    return Backup(datetime.fromisoformat(manifest["made_at"]), size)


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    """The manifest, once what it names is in the folder as it was. Raises BackupError."""
    try:
        with zipfile.ZipFile(file) as archive:
            with archive.open(_MANIFEST) as written:
                manifest: dict[str, Any] = json.loads(written.read(_MOST_MANIFEST))
            if manifest["diego_backup"] != FORMAT:
                raise BackupError(f"{file} is a backup of another version of Diego. Restore it with that version.")
            for name in (KNOWLEDGE, VISITORS, *({KEY} & {*manifest["files"]})):
                _extract(archive, name, folder / name, manifest["files"][name])
            _summary(manifest)
    except _NO_BACKUP as error:
        raise BackupError(
            f"{file} is no backup of Diego's, or is damaged or incomplete: {error}. Nothing was restored; take another "
            "backup."
        ) from None
    return manifest


def _extract(archive: zipfile.ZipFile, name: str, path: Path, about: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    left = int(about["bytes"])
    digest = hashlib.sha256()
    with archive.open(name) as packed, path.open("wb") as file:
        while left >= 0 and (piece := packed.read(_PIECE)):
            left -= len(piece)
            digest.update(piece)
            file.write(piece)
    if left or digest.hexdigest() != about["sha256"]:
        raise ValueError(f"{name} is not as it was packed")


def _check(file: Path, folder: Path) -> None:
    """See that Diego can use what was unpacked, and mark it as something new. Raises BackupError."""
    try:
        for name in (KNOWLEDGE, VISITORS):
            with closing(sqlite3.connect(folder / name)) as database:
                database.execute("PRAGMA schema_version")
        with closing(KnowledgeStorage(database_uri=file_url(folder / KNOWLEDGE))) as storage:
            storage.sources()
            next(storage.pairs(), None)
        with closing(Diary(file_url(folder / VISITORS))) as diary:
            diary.check()
            diary.mark_restored()
    except (StorageError, sqlite3.Error) as error:
        reason = error.__cause__ or error  # without the name of a passing file
        raise BackupError(f"{file} holds what Diego cannot use. Nothing was restored. {reason}") from None
    key = folder / KEY
    if key.exists() and len(key.read_bytes().strip()) < MIN_KEY_CHARACTERS:
        raise BackupError(f"{file} holds a key of less than {MIN_KEY_CHARACTERS} characters. Nothing was restored.")


def _restored(path: Path) -> str | None:
    """What `Diary.mark_restored` has left in a database; None if there is nothing, or nothing can be read."""
    with suppress(sqlite3.Error), closing(_existing(path)) as database:
        for (mark,) in database.execute("SELECT mark FROM restored"):
            return str(mark)
    return None


def _existing(path: Path) -> sqlite3.Connection:
    """A connection to a database that is not made if it is not there. Raises sqlite3.OperationalError."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)


def _replace_key(new: Path, path: Path) -> None:
    if path.exists() and path.read_bytes() == new.read_bytes():
        return
    made = path.with_name(f"{path.name}.restore")
    made.touch(mode=0o600)
    shutil.copyfile(new, made)
    _sync(made)
    hand_over(made.parent, made.name, made.parent)  # a server that runs reads it as soon as it is there
    made.replace(path)


def _overwrite(path: Path, new: Path, before: Callable[[], None] = lambda: None) -> None:
    """Give a database the content of another in one transaction, so that who reads it is not held up.

    `before` is called when nobody else can write to it any more; if it raises, all is as it was.
    """
    path.touch(mode=0o600)
    with errors_as_sentences(file_url(path)):
        try:
            _copy_over(path, new, before)
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{path}{suffix}").replace(f"{path}.damaged{suffix}")
            logger.warning(
                "%s was damaged and is kept as %s.damaged. A server that runs must be restarted.", path, path
            )
            path.touch(mode=0o600)
            _copy_over(path, new, lambda: None)


def _copy_over(path: Path, new: Path, before: Callable[[], None]) -> None:
    waiting_until = time.monotonic() + _LOCK_SECONDS
    begun = False

    def look(status: int, _left: int, _pages: int) -> None:
        nonlocal begun
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() > waiting_until:
                raise sqlite3.OperationalError("database is locked")
        elif not begun:
            begun = True
            before()

    with closing(_snapshot(new)) as source, closing(sqlite3.connect(path, timeout=_LOCK_SECONDS)) as target:
        # Page by page: when the first is written, the others are not.
        source.backup(target, pages=1, progress=look, sleep=0.05)


_LOCK_SECONDS = 30.0
"""How long to wait for whoever else writes to a database that is to be restored."""


def _overwrite_visitors(path: Path, new: Path) -> None:
    while True:
        known = _what_stays(path)
        with errors_as_sentences(file_url(new)), closing(Diary(file_url(new))) as diary:
            diary.take_over(*known)

        def before(known: _Stays = known) -> None:
            if _what_stays(path) != known:
                raise _Changed

        with suppress(_Changed):
            _overwrite(path, new, before)
            return


class _Stays(NamedTuple):
    """What is true whatever is restored: who was forgotten, and which numbers were given."""

    forgotten: frozenset[str]
    numbers: frozenset[tuple[str, int]]


def _what_stays(path: Path) -> _Stays:
    """Of a damaged database, what can be read."""
    forgotten, numbers = frozenset[str](), frozenset[tuple[str, int]]()
    with suppress(sqlite3.Error), closing(_existing(path)) as database:
        forgotten = frozenset(digest for (digest,) in database.execute("SELECT digest FROM forgotten"))
        numbers = frozenset(database.execute("SELECT name, seq FROM sqlite_sequence"))
    return _Stays(forgotten, numbers)
