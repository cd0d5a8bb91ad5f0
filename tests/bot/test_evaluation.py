from pathlib import Path

import numpy as np
import pytest

from chatbot import SetupError
from chatbot.bot.evaluation import Evaluation, evaluate

KEYS = ["accuracy", "in_scope_accuracy", "out_of_scope_recall", "threshold", "p50_ms", "p99_ms", "train_s", "rss_mb"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.csv").write_text("text,reply\nHi,Hello\nWhat is AI?,A field\nBye,See you\n")


def measured(in_scope: tuple[bool, ...] = (True, True, True, False, False)) -> Evaluation:
    count = len(in_scope)
    return Evaluation(
        confidence=np.array([0.9, 0.4, 0.8, 0.1, 0.7][:count]),
        right=np.array([True, True, False, False, False][:count]),
        in_scope=np.array(in_scope),
        seconds=np.array([0.001, 0.001, 0.001, 0.001, 0.01][:count]),
        threshold=0.5,
        train_s=1.25,
    )


def test_the_figures_are_shares_and_times() -> None:
    figures = measured().figures()
    assert list(figures) == KEYS
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["in_scope_accuracy"] == pytest.approx(1 / 3)
    assert figures["out_of_scope_recall"] == 0.5
    assert figures["p50_ms"] == pytest.approx(1)
    assert 9 < (figures["p99_ms"] or 0) <= 10
    assert (figures["threshold"], figures["train_s"]) == (0.5, 1.25)
    assert 10 < (figures["rss_mb"] or 0) < 100_000


def test_what_was_not_asked_has_no_figure() -> None:
    assert measured((True, True)).figures()["out_of_scope_recall"] is None
    assert measured((False, False)).figures()["accuracy"] is None
    assert measured((True, True)).table()[1][0] == ("0.00", "100.0 %", "-")


def test_the_table_is_a_curve_with_the_own_threshold_marked() -> None:
    header, rows = measured().table()
    assert header == ("threshold", "in scope, right", "out of scope, refused")
    assert rows[0] == ("0.00", "66.7 %", "0.0 %")
    assert ("0.50 *", "33.3 %", "50.0 %") in rows
    assert rows[-1] == ("0.95", "0.0 %", "100.0 %")
    assert len([row for row in rows if "*" in row[0]]) == 1


def test_the_summary_says_the_rest() -> None:
    summary = measured().summary()
    assert "Accuracy without a threshold: 66.7 %." in summary
    assert "Training took 1.2 s" in summary


def test_he_is_trained_on_one_file_and_asked_another() -> None:
    Path("test.csv").write_text("text,reply\nhi!,Hello\nwhat is ai,A field\nbye,wrong\nzz yy,\nhi,\n")
    evaluation = evaluate("train.csv", "test.csv")
    assert evaluation.right.tolist() == [True, True, False, False, False]
    assert evaluation.in_scope.tolist() == [True, True, True, False, False]
    assert evaluation.confidence.tolist() == [1, 1, 1, 0, 1]
    assert evaluation.out_of_scope_recall(0.5) == 0.5
    assert evaluation.train_s > 0
    assert sorted(file.name for file in Path().iterdir()) == ["test.csv", "train.csv"]


def test_of_several_replies_to_a_question_any_is_right() -> None:
    rows = [f"hi,Hello {number}\n" if number % 2 else f"Hi!,Hello {number}\n" for number in range(10)]
    Path("train.csv").write_text("text,reply\n" + "".join(rows))
    assert evaluate("train.csv", "train.csv").right.all()


def test_skills_do_not_answer() -> None:
    Path("test.csv").write_text("text,reply\nWhat is 2 + 2?,4\n")
    assert evaluate("train.csv", "test.csv").right.tolist() == [False]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("text,reply\n", "test.csv", "test.csv: expected questions, but got none."),
        ("text;reply\n", "test.csv", "test.csv:1: expected a header"),
        ("", "test.yml", "test.yml: expected .csv or .tsv, but got test.yml."),
        ("text,reply\n,Hello\n", "test.csv", "test.csv:2: expected a text, but got an empty one."),
    ],
)
def test_what_cannot_be_asked_is_refused(content: str, name: str, sentence: str) -> None:
    Path(name).write_text(content)
    with pytest.raises(SetupError) as refused:
        evaluate("train.csv", name)
    assert str(refused.value).startswith(sentence)
