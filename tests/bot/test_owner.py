import os
from pathlib import Path

import pytest

from chatbot.bot.owner import hand_over

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

SERVICE = 10001


def owners(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in folder.rglob("*")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "diego"
    (folder / "diego.db.cache").mkdir(parents=True)
    for name in ("diego.db", "diego.db.key", "diego.db.cache/lock", "other"):
        (folder / name).touch()
    os.chown(folder, SERVICE, SERVICE)
    return folder


def test_what_root_made_is_the_services(folder: Path) -> None:
    hand_over(folder, "diego.db", folder)
    others = {"diego.db": SERVICE, "diego.db.key": SERVICE, "diego.db.cache": SERVICE, "diego.db.cache/lock": SERVICE}
    assert owners(folder) == {**others, "other": 0}


def test_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    roots = tmp_path / "roots"
    roots.mkdir()
    (roots / "diego.db").touch()
    (folder / "diego.db.folder").symlink_to(roots)
    (folder / "diego.db.file").symlink_to(roots / "diego.db")
    hand_over(folder, "diego.db", folder)
    assert (roots.stat().st_uid, owners(roots)) == (0, {"diego.db": 0})


def test_in_roots_own_folder_nothing_changes(folder: Path, tmp_path: Path) -> None:
    hand_over(folder, "diego.db", tmp_path)
    assert set(owners(folder).values()) == {0}
