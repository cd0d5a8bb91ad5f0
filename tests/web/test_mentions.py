import pytest

from chatbot.web.mentions import asks_diego, prompt_for_diego


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("@diego What is AI?", "What is AI?"),
        ("@Diego, what is AI?", "what is AI?"),
        ("What is AI, @DIEGO?", "What is AI ?"),
        ("Hey @diego: what is AI?", "Hey what is AI?"),
        ("(@diego) Hello", "( ) Hello"),
        ("Ask @diego.", "Ask ."),
        ("@diego", ""),
        ("@diego @diego!", "!"),
        ("one\n@diego two", "one two"),
        ("¿@diego estás?", "¿ estás?"),
    ],
)
def test_who_mentions_diego_asks_him_the_rest(text: str, prompt: str) -> None:
    assert asks_diego(text)
    assert prompt_for_diego(text) == prompt


@pytest.mark.parametrize(
    "text",
    [
        "diego",
        "me@diego",
        "me@diego.org",
        "@diego.org",
        "@diegos",
        "@diego-bot",
        "@diego_",
        "@diego@example.org",
        "https://example.org/@diego",
        "@@diego",
        "x@diego",
        "é@diego",
        "@diego's answer",
        "@diego’s answer",
        "@ diego",
    ],
)
def test_what_only_looks_like_a_mention_is_none(text: str) -> None:
    assert not asks_diego(text)
