"""What the pages say, in the languages that there are."""

import re
from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
LANGUAGES = tuple(sorted(file.stem for file in FOLDER.glob("*.yml")))
DEFAULT = "en"

# A range of languages and how much it is wanted, as in "fr-CA;q=0.8": RFC 9110, 12.5.4.
_RANGE = re.compile(
    r"\s*([a-z]{1,8})(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?", re.ASCII | re.IGNORECASE
)
_MOST_RANGES = 20


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of a language, by their names."""
    read: dict[str, str] = yaml.safe_load((FOLDER / f"{language}.yml").read_text(encoding="utf-8"))
    return read


def preferred_language(accepted: str) -> str:
    """The language that a header Accept-Language wants most, of those that there are; English if it wants none."""
    ranges = [_RANGE.fullmatch(part) for part in accepted.split(",")[:_MOST_RANGES]]
    wanted = sorted((match for match in ranges if match), key=_quality, reverse=True)
    known = (match[1].lower() for match in wanted if match[1].lower() in LANGUAGES and _quality(match) > 0)
    return next(known, DEFAULT)


def _quality(match: re.Match[str]) -> float:
    return float(match[2] or 1)
