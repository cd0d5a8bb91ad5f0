"""Each defence of SECURITY.md has a test."""

import re

import pytest

from tests.nginx import ROOT

ROWS = re.findall(r"^\| (?!threat|---)(.+?) \| (.+?) \| (.+?) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
NAMED = sorted({name for _, _, tests in ROWS for name in re.findall("`(.+?)`", tests)})


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_is_there(named: str) -> None:
    file, _, function = named.partition("::")
    assert re.search(rf"^ *(async )?def {function}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_defence_names_one() -> None:
    assert len(ROWS) > 20
    assert [
        threat for threat, _, tests in ROWS if not re.fullmatch("`tests/[^`]+::test_[^`]+`(, `[^`]+`)*", tests)
    ] == []
