"""Figures for people."""

from collections.abc import Iterable, Sequence

import numpy as np


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table in Markdown; the first columns are texts and the others numbers."""
    rule = ["---" if number < texts else "--:" for number in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def milliseconds(seconds: Sequence[float], shares: tuple[float, ...] = (0.5, 0.99, 1)) -> list[str]:
    """The quantiles of times, in ms; `-` where nothing was measured."""
    if not seconds:
        return ["-"] * len(shares)
    return [f"{1000 * float(np.quantile(seconds, share)):,.2f}" for share in shares]


def percent(good: int, all_of: int) -> str:
    """A share."""
    return f"{100 * good / all_of:.1f} %" if all_of else "-"
