"""What is worked out while training, kept on disk: a cache, which may be deleted at any time."""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from chatbot.bot.arrays import Arrays, load_arrays, save_arrays
from chatbot.bot.knowledge import Knowledge, knowledge_arrays
from chatbot.bot.storage import KnowledgeStorage

logger = logging.getLogger(__name__)

FORMAT = 2
"""To be counted up whenever the same pairs are to make other arrays."""

_SIZES = "sizes.json"


def knowledge_of(storage: KnowledgeStorage) -> Knowledge:
    """What the storage holds, from the cache beside its database, or worked out and put there.

    Raises StorageError if the database cannot be read. Other processes may use the same cache meanwhile.
    """
    folder = storage.path.with_name(f"{storage.path.name}.cache") / _name(storage)
    arrays = _load(folder)
    if arrays is None:
        arrays = knowledge_arrays(storage.pairs())
        _save(folder, arrays)
    return Knowledge(arrays)


def _name(storage: KnowledgeStorage) -> str:
    return hashlib.sha256(f"{FORMAT} {storage.version()}".encode()).hexdigest()[:16]


def _load(folder: Path) -> Arrays | None:
    if not folder.is_dir():
        return None
    try:
        sizes = json.loads((folder / _SIZES).read_text())
        if sizes == _sizes(folder):
            return load_arrays(folder)
    except (OSError, ValueError):
        pass
    logger.warning("The cache %s is damaged and is made anew.", folder)
    return None


def _sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in sorted(folder.glob("*.npy"))}


def _save(folder: Path, arrays: Arrays) -> None:
    """Write the arrays, in the place of all that was cached before. Without a cache, the next start takes longer."""
    try:
        folder.parent.mkdir(exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        save_arrays(made, arrays)
        (made / _SIZES).write_text(json.dumps(_sizes(made)))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
        _remove(other for other in folder.parent.iterdir() if other not in (folder, made))
    except OSError as error:
        logger.warning("The cache %s cannot be written: %s. The next start will take longer.", folder, error)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
