"""Why a reply is what it is."""

from typing import Literal, NamedTuple

Kind = Literal["known", "skill", "unknown"]
"""Whether a reply was trained or taught, was worked out by a skill, or says that Diego does not know."""


class Evidence(NamedTuple):
    """A known prompt, the file and line it was trained from (empty and 0 if it was not), and a probability."""

    prompt: str
    source: str
    line: int
    confidence: float


class Receipt(NamedTuple):
    """Why a reply is what it is: how it was found, by which adapter, from what, and the time it took."""

    kind: Kind
    how: str
    adapter: str
    confidence: float
    matched: Evidence | None = None
    runner_up: Evidence | None = None
    seconds: float = 0.0


def explained(receipt: Receipt) -> list[str]:
    """The receipt in lines for people."""
    lines = [f"{receipt.how} ({receipt.adapter or 'default response'}, confidence {receipt.confidence:.2f})"]
    if receipt.matched:
        lines.append(f"matched: {_shown(receipt.matched)}")
    if receipt.runner_up:
        lines.append(f"runner-up: {_shown(receipt.runner_up)}")
    return [*lines, f"in {1000 * receipt.seconds:.2f} ms"]


def _shown(evidence: Evidence) -> str:
    where = f" from {evidence.source}:{evidence.line}" if evidence.source else ""
    return f'"{evidence.prompt}"{where}, confidence {evidence.confidence:.2f}'
