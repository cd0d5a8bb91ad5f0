import errno
from pathlib import Path

import pytest

from chatbot.terminal.files import replace, state_file
from tests.terminals import kept


def test_the_folder_is_only_the_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "new"))
    assert state_file("history") == tmp_path / "new" / "diego" / "history"
    assert (tmp_path / "new" / "diego").stat().st_mode & 0o777 == 0o700


def test_where_there_can_be_no_folder_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "diego").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_file("history") is None


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(tmp_path / "visitor", "diego=1")

    def fill_the_disk(file: Path, text: str, encoding: str) -> None:
        file.write_bytes(text.encode(encoding)[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        replace(tmp_path / "visitor", "diego=2")
    assert kept(tmp_path) == [("diego=1", 0o600)]
