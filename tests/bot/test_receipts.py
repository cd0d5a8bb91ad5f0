import pytest

from chatbot.bot.receipts import Evidence, Receipt, explained

AI = Evidence("What is AI?", "mine.csv", 7, 0.912)
LEARNED = Evidence("What is it?", "", 0, 0.25)


@pytest.mark.parametrize(
    ("receipt", "lines"),
    [
        (
            Receipt("known", "the nearest prompt", "KnownPrompt", 0.912, AI, LEARNED, 0.00123),
            [
                "the nearest prompt (KnownPrompt, confidence 0.91)",
                'matched: "What is AI?" from mine.csv:7, confidence 0.91',
                'runner-up: "What is it?", confidence 0.25',
                "in 1.23 ms",
            ],
        ),
        (Receipt("skill", "worked out", "Clock", 1.0), ["worked out (Clock, confidence 1.00)", "in 0.00 ms"]),
        (
            Receipt("unknown", "no adapter replied", "", 0.0, seconds=0.5),
            ["no adapter replied (default response, confidence 0.00)", "in 500.00 ms"],
        ),
    ],
)
def test_a_receipt_is_explained_in_lines(receipt: Receipt, lines: list[str]) -> None:
    assert explained(receipt) == lines
