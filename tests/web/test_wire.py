import json
from typing import Any

import pytest

from chatbot.bot.turns import NO_LIMIT, Turn
from chatbot.messages import BLANK, TOO_LONG, RefusedMessage
from chatbot.web.wire import (
    MOST_TURNS,
    Asked,
    Command,
    CountRequest,
    Event,
    HistoryRequest,
    JsonWire,
    Message,
    PlainWire,
    Wire,
    count_event,
    error_event,
    export_event,
    history_event,
    reply_event,
)

TURN = Turn("v" * 32, 7, "id-7", "Who?", "Me! 😀", 0.5, "because", 1.5)
FIELDS = {
    "seq": 7,
    "id": "id-7",
    "prompt": "Who?",
    "text": "Me! 😀",
    "confidence": 0.5,
    "why": "because",
    "said_at": 1.5,
}


def refusal(wire: Wire, frame: str) -> str:
    with pytest.raises(RefusedMessage) as refused:
        wire.read(frame)
    return str(refused.value)


def read(**fields: Any) -> Asked | CountRequest:
    return JsonWire().read(json.dumps(fields))


class TestPlain:
    def test_a_frame_is_a_message_also_when_it_looks_like_json(self) -> None:
        assert PlainWire().read(" Hi ") == Message("Hi")
        assert PlainWire().read('{"type": "history"}') == Message('{"type": "history"}')

    @pytest.mark.parametrize(("frame", "sentence"), [("", BLANK), ("x" * 1001, TOO_LONG)])
    def test_what_is_no_prompt_is_refused(self, frame: str, sentence: str) -> None:
        assert refusal(PlainWire(), frame) == sentence

    def test_replies_and_errors_are_texts_and_the_rest_is_nothing(self) -> None:
        assert PlainWire().write(reply_event(TURN)) == "Me! 😀"
        assert PlainWire().write(error_event("Sorry.")) == "Sorry."
        assert PlainWire().write(history_event([TURN])) == ""
        assert PlainWire().write(Event("typing", {"id": None, "prompt": "Hi"})) == ""


class TestMessages:
    def test_a_message_has_a_text_and_may_have_an_id(self) -> None:
        assert read(type="message", text=" Hi ") == Message("Hi")
        assert read(type="message", text="Hi", id=None) == Message("Hi")
        assert read(type="message", text="Hi", id="4f-1") == Message("Hi", "4f-1")
        assert read(type="message", text="Hi", id="~" * 64) == Message("Hi", "~" * 64)

    def test_fields_that_it_does_not_know_are_ignored(self) -> None:
        assert read(type="message", text="Hi", colour="red") == Message("Hi")

    @pytest.mark.parametrize("text", [None, 1, ["Hi"], True])
    def test_a_message_without_a_text_is_refused(self, text: object) -> None:
        assert refusal(JsonWire(), json.dumps({"type": "message", "text": text})) == 'A message must have a "text".'

    @pytest.mark.parametrize(("text", "sentence"), [(" \u200b", BLANK), ("x" * 1001, TOO_LONG)])
    def test_its_text_is_checked_as_on_the_plain_wire(self, text: str, sentence: str) -> None:
        assert refusal(JsonWire(), json.dumps({"type": "message", "text": text})) == sentence

    def test_an_escaped_surrogate_and_nul_are_taken_out_of_its_text(self) -> None:
        assert JsonWire().read(r'{"type": "message", "text": "H\ud83d\u0000i"}') == Message("Hi")

    @pytest.mark.parametrize("message_id", ["", "x" * 65, 1, True, [], "two words", "é", "\ud83d", "\0", "x\n"])
    def test_an_id_that_is_none_is_refused(self, message_id: object) -> None:
        frame = json.dumps({"type": "message", "text": "Hi", "id": message_id})
        assert refusal(JsonWire(), frame) == 'The "id" of a message must be 1 to 64 visible ASCII characters.'


def test_a_count_is_asked_for_without_more() -> None:
    assert read(type="count") == CountRequest()


class TestHistoryRequests:
    def test_it_asks_for_the_last_turns_unless_it_says_otherwise(self) -> None:
        everything = HistoryRequest(NO_LIMIT, MOST_TURNS)
        assert read(type="history") == everything
        assert read(type="history", before=None, limit=None) == everything
        assert read(type="history", before=5, limit=2) == HistoryRequest(5, 2)

    def test_too_much_is_as_much_as_there_can_be(self) -> None:
        assert read(type="history", before=10**30, limit=10**30) == HistoryRequest(NO_LIMIT, MOST_TURNS)

    @pytest.mark.parametrize("name", ["before", "limit"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, [1]])
    def test_what_is_no_number_is_refused(self, name: str, value: object) -> None:
        frame = json.dumps({"type": "history", name: value})
        assert refusal(JsonWire(), frame) == f'"{name}" must be a whole number from 1 on.'


@pytest.mark.parametrize("frame", ["", "Hi", "{", "[" * 16_000, '{"type": ' + "9" * 5000 + "}"])
def test_what_is_no_json_is_refused_with_an_example(frame: str) -> None:
    sentence = refusal(JsonWire(), frame)
    assert sentence.startswith("A frame must be a JSON object, such as {")
    assert isinstance(JsonWire().read(sentence.partition("such as ")[2].removesuffix(".")), Message)


@pytest.mark.parametrize("frame", ["{}", "[]", "1", "null", '"message"', '{"type": "mesage"}', '{"type": ["message"]}'])
def test_a_frame_of_an_unknown_type_is_refused(frame: str) -> None:
    assert refusal(JsonWire(), frame).startswith('A frame must have one of these types: "message", "history", "count"')


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (reply_event(TURN), {"type": "reply", **FIELDS}),
        (history_event([TURN]), {"type": "history", "turns": [FIELDS], "before": None}),
        (history_event([TURN], 7), {"type": "history", "turns": [FIELDS], "before": 7}),
        (export_event("[1]", Command("export", id="x")), {"type": "export", "id": "x", "data": [1]}),
        (count_event(3), {"type": "count", "count": 3}),
        (error_event("Sorry."), {"type": "error", "text": "Sorry.", "id": None}),
        (error_event("Sorry.", Message("Hi", "x")), {"type": "error", "text": "Sorry.", "id": "x"}),
    ],
)
def test_an_event_is_an_object_with_its_type(event: Event, fields: dict[str, object]) -> None:
    assert json.loads(JsonWire().write(event)) == fields


def test_any_script_is_written_as_it_is() -> None:
    assert "😀" in JsonWire().write(reply_event(TURN))
