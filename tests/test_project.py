"""What holds for the project as a whole."""

import subprocess
from pathlib import Path

import pytest

from tests.browsers import PROGRAMS
from tests.nginx import ROOT

MODULES = [
    module.relative_to(ROOT)
    for module in (*ROOT.glob("*.py"), *ROOT.glob("chatbot/**/*.py"))
    if module.name not in ("__init__.py", "conftest.py", "test_app.py")
    and "migrations" not in module.parts  # tests/bot/test_schema.py compares what all steps together make
]

MAX_FILE_BYTES = 1 << 20
MAX_PICTURE_BYTES = 120 << 10


def committed_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_test_file(module: Path) -> None:
    folder = ROOT if module.name == "app.py" else ROOT / "tests" / Path(*module.parts[1:-1])
    assert (folder / f"test_{module.name}").exists()


def test_no_committed_file_is_large() -> None:
    assert [file for file in committed_files() if file.stat().st_size >= MAX_FILE_BYTES] == []


def test_no_committed_picture_is_large() -> None:
    pictures = [file for file in committed_files() if file.suffix == ".png"]
    assert [file for file in pictures if file.stat().st_size >= MAX_PICTURE_BYTES] == []


def test_no_committed_file_names_a_package_index() -> None:
    indexes = ("pypi" + ".org", "npmjs" + ".org")
    naming = [file for file in committed_files() for index in indexes if index in file.read_text(errors="ignore")]
    assert naming == []
    assert "[[source]]" not in (ROOT / "Pipfile").read_text()
    assert '"sources": []' in (ROOT / "Pipfile.lock").read_text()
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_ci_looks_for_the_browsers_that_the_tests_use() -> None:
    assert f"command -v {' '.join(PROGRAMS)} >" in (ROOT / ".ci/run").read_text()


def test_every_command_of_the_makefile_is_explained() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    makefile = (ROOT / "Makefile").read_text()
    phony = [line.split()[1] for line in makefile.splitlines() if line.startswith(".PHONY:")]
    assert [line.split()[1] for line in shown.splitlines()] == phony
