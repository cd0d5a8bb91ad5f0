"""What the clients say, never twice the same: recombined prompts of the corpora and, where at hand, of CLINC150."""

from itertools import islice

from benchmarks.recombined import clinc150, english_prompts, recombined

COUNT = 250_000


def messages(count: int = COUNT) -> list[str]:
    """So many, all different, in an order that is the same every time."""
    return list(islice(recombined(english_prompts() + clinc150("test")), count))
