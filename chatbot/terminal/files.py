"""What is kept for the next run."""

import os
import tempfile
from pathlib import Path


def state_file(name: str) -> Path | None:
    """Where something is kept for the next run, in a folder that only its owner reads; None where it cannot be."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "diego"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder / name


def replace(file: Path, text: str) -> None:
    """Write a file that only its owner reads; whoever reads it finds all of the old text or all of the new one."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    os.close(descriptor)
    own = Path(name)
    try:
        own.write_text(text, encoding="ascii")
        own.replace(file)
    except OSError:
        own.unlink()
        raise
