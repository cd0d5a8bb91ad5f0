"""What is worked out while training, kept on disk: a cache, which may be deleted at any time."""

import fcntl
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from typing import TextIO
from zlib import crc32

from sqlalchemy.engine import make_url

from chatbot import SetupError
from chatbot.bot.arrays import Arrays, load_arrays, save_arrays
from chatbot.bot.database import database_path, is_file
from chatbot.bot.knowledge import Knowledge, knowledge_arrays
from chatbot.bot.storage import KnowledgeStorage

logger = logging.getLogger(__name__)

FORMAT = 5
"""To be counted up whenever the same pairs are to make other arrays."""

_SEALS = "seals"
"""Not .json: training on the folder around it would take it for a corpus."""

_PIECE = 1 << 20

_NICE = 10
"""How far those who chat go before what is worked out beside them."""


@contextmanager
def training(storage: KnowledgeStorage, *, wait: bool = True) -> Iterator[None]:
    """While others wait for the cache of what is trained here, instead of working it out, too.

    Raises BlockingIOError if it is not to wait and somebody else is training.
    """
    with _lock_file(storage) as file:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def _lock_file(storage: KnowledgeStorage) -> Iterator[TextIO | None]:
    try:
        _folder(storage).mkdir(exist_ok=True)
        file = (_folder(storage) / "lock").open("w")
    except OSError:
        yield None  # where nothing can be written, there is no cache to wait for
        return
    with file:
        yield file


def knowledge_of(storage: KnowledgeStorage, *, wait: bool = True) -> Knowledge:
    """What the storage holds, from the cache beside its database, or worked out and put there.

    Raises StorageError if the database cannot be read, and BlockingIOError if it is not to wait and somebody else is
    training.
    """
    known = cached_knowledge(storage)
    if known is None:
        with training(storage, wait=wait):
            return work_out(storage)
    return known


def cached_knowledge(storage: KnowledgeStorage) -> Knowledge | None:
    """The same if it is in the cache. Raises StorageError."""
    arrays = _load(_folder(storage) / _name(storage))
    return None if arrays is None else Knowledge(arrays)


def work_out_elsewhere(storage: KnowledgeStorage) -> "Popen[bytes]":
    """A process that puts it into the cache: in this one, those who chat would wait for it again and again."""
    root = str(Path(__file__).parent.parent.parent)
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return Popen(  # noqa: S603 - this very module
        [sys.executable, "-m", __name__, storage.database_uri],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=DEVNULL,
        start_new_session=True,  # a Ctrl-C is for the server
    )


def work_out(storage: KnowledgeStorage) -> Knowledge:
    """The same, while `training`."""
    folder = _folder(storage) / _name(storage)
    arrays = _load(folder)
    if arrays is None:
        if os.path.isdir(folder):  # noqa: PTH112 - Path's raises an error where nothing may be read
            logger.warning("The cache %s is damaged and is made anew.", folder)
        arrays = knowledge_arrays(storage.pairs(), _before(folder))
        _save(folder, arrays)
        arrays = _load(folder) or arrays  # mapped from the files, they need less memory
    return Knowledge(arrays)


def _folder(storage: KnowledgeStorage) -> Path:
    """Beside the file, or for PostgreSQL where the process was started."""
    if is_file(storage.database_uri):
        return Path(f"{database_path(storage.database_uri)}.cache")
    url = make_url(storage.database_uri)
    return Path(f"{url.host or 'localhost'}-{url.port or 5432}-{url.database}.cache")


def _name(storage: KnowledgeStorage) -> str:
    return f"{FORMAT}-{storage.version() % (1 << 64):016x}"


def _load(folder: Path) -> Arrays | None:
    """None if there is no whole cache."""
    with suppress(OSError, ValueError):
        if json.loads((folder / _SEALS).read_text()) == _seals(folder):
            return load_arrays(folder)
    return None


def _before(folder: Path) -> Arrays | None:
    """What was cached before, of this format."""
    return next(filter(None, map(_load, folder.parent.glob(f"{FORMAT}-*"))), None)


def _seals(folder: Path) -> dict[str, list[int]]:
    """Of each file its size and its checksum: a damaged one would give wrong answers, or end the process."""
    return {file.name: _seal(file) for file in sorted(folder.glob("*.npy"))}


def _seal(path: Path) -> list[int]:
    checksum = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            checksum = crc32(piece, checksum)
        return [file.tell(), checksum]


def _save(folder: Path, arrays: Arrays) -> None:
    """Write the arrays, in the place of all that was cached before. Without a cache, the next start takes longer."""
    try:
        folder.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            made = Path(temporary, "made")
            made.mkdir()
            save_arrays(made, arrays)
            (made / _SEALS).write_text(json.dumps(_seals(made)))
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
        _remove(other for other in folder.parent.iterdir() if other != folder)
    except OSError as error:
        logger.warning("The cache %s cannot be written: %s. The next start will take longer.", folder, error)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _main() -> None:
    os.nice(_NICE)
    try:
        with closing(KnowledgeStorage(database_uri=sys.argv[1])) as storage, training(storage):
            work_out(storage)
    except SetupError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
