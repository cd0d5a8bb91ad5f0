"""How good Diego is at questions that he was not trained on."""

import resource
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot import SetupError
from chatbot.bot.corpora import find_sources
from chatbot.bot.diego import Diego
from chatbot.bot.formats import read_questions
from chatbot.bot.words import key
from chatbot.settings import Settings

THRESHOLDS = [number / 20 for number in range(20)]


@dataclass(frozen=True)
class Evaluation:
    """What was measured: for each question its confidence, whether its reply is right, and whether there is one."""

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    in_scope: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    threshold: float
    train_s: float

    def in_scope_accuracy(self, threshold: float) -> float | None:
        """The share of the questions that have a reply, of which the right one was given."""
        return _share((self.right & (self.confidence >= threshold))[self.in_scope])

    def out_of_scope_recall(self, threshold: float) -> float | None:
        """The share of the questions that have no reply, to which none was given."""
        return _share((self.confidence < threshold)[~self.in_scope])

    def figures(self) -> dict[str, float | None]:
        """Shares from 0 to 1, times in ms and s, the most memory needed in MB; None where nothing was asked."""
        return {
            "accuracy": self.in_scope_accuracy(0),
            "in_scope_accuracy": self.in_scope_accuracy(self.threshold),
            "out_of_scope_recall": self.out_of_scope_recall(self.threshold),
            "threshold": self.threshold,
            "p50_ms": 1000 * float(np.quantile(self.seconds, 0.5)),
            "p99_ms": 1000 * float(np.quantile(self.seconds, 0.99)),
            "train_s": self.train_s,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The header and the rows of a curve over thresholds."""
        header = ("threshold", "in scope, right", "out of scope, refused")
        thresholds = sorted({*THRESHOLDS, self.threshold})
        return header, [
            (
                f"{threshold:.2f}{' *' if threshold == self.threshold else ''}",
                _percent(self.in_scope_accuracy(threshold)),
                _percent(self.out_of_scope_recall(threshold)),
            )
            for threshold in thresholds
        ]

    def summary(self) -> str:
        """The rest, in sentences."""
        figures: dict[str, Any] = self.figures()
        return (
            f"* is Diego's own threshold. Accuracy without a threshold: {_percent(figures['accuracy'])}. A reply takes "
            f"{figures['p50_ms']:.2f} ms (p50) and {figures['p99_ms']:.2f} ms (p99). Training took "
            f"{figures['train_s']:.1f} s; at the most {figures['rss_mb']:,.0f} MB of memory were needed."
        )


def evaluate(train: str, test: str) -> Evaluation:
    """Train a Diego without skills on one file, and ask him what another file says. Raises SetupError.

    Of several replies to a question any is right, as Diego gives one by chance.
    """
    questions = [question for source in find_sources((test,)) for question in read_questions(source)]
    if not questions:
        raise SetupError(f"{test}: expected questions, but got none.")
    replies: defaultdict[str, set[str]] = defaultdict(set)
    for question, reply in questions:
        replies[key(question)].add(reply)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        database = f"sqlite:///{Path(folder) / 'diego.db'}"
        settings = Settings(database_url=database, corpora=(train,), skills=(), threshold=0)
        with closing(Diego(settings)) as diego:
            train_s = time.perf_counter() - begun
            rows = []
            for question, reply in questions:
                begun = time.perf_counter()
                said = diego.get_response(question, in_response_to="")
                took = time.perf_counter() - begun
                is_right = bool(reply) and said.text in replies[key(question)]
                rows.append((said.confidence, is_right, bool(reply), took))
            confidence, right, in_scope, seconds = map(np.array, zip(*rows, strict=True))
            return Evaluation(confidence, right, in_scope, seconds, diego.knowledge.threshold, train_s)


def _share(those: NDArray[np.bool_]) -> float | None:
    return float(those.mean()) if len(those) else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
