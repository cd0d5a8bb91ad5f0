import pytest

from chatbot.terminal.connecting import Unreachable
from chatbot.terminal.wire import Acknowledgement, History, Message, Person

MESSAGE = {"number": 1, "id": None, "name": "Ana", "text": "Hi", "said_at": 1.5, "answers": None}


def test_what_is_not_known_is_ignored() -> None:
    assert Message.read({**MESSAGE, "mood": "good"}) == Message(number=1, name="Ana", text="Hi", answers=None)


@pytest.mark.parametrize("data", [None, 5, "Ana", [], {}, {"messages": None}, {"messages": [{**MESSAGE, "text": 5}]}])
def test_what_cannot_be_understood_is_a_sentence(data: object) -> None:
    with pytest.raises(Unreachable, match="The server says what this client does not understand."):
        History.read(data)


def test_an_acknowledgement_has_a_number_or_says_what_is_wrong() -> None:
    assert Acknowledgement.read({"number": 5}).error is None
    assert Acknowledgement.read({"error": "No."}).error == "No."
    with pytest.raises(Unreachable):
        Acknowledgement.read(None)


def test_who_has_no_name_is_not_understood() -> None:
    with pytest.raises(Unreachable):
        Person.read({"name": None})
