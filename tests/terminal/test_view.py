from types import SimpleNamespace

import pytest

from chatbot.terminal.view import MAX_AUTHORS, SHOWN_AT_FIRST, View

WELCOME = {"name": "Ana", "people": ["Diego", "Ana", "Ben"]}
HERE = "Here: Diego, Ana (you), Ben. @diego asks Diego, /help helps, Ctrl-D leaves."


def said(number: int, text: str = "Hi", name: str = "Ben", answers: int | None = None) -> dict[str, object]:
    return {"number": number, "id": None, "name": name, "text": text, "said_at": 1.5, "answers": answers}


def history(*numbers: int) -> dict[str, object]:
    return {"messages": [said(number, f"message {number}") for number in numbers]}


@pytest.fixture
def room() -> View:
    """What Ana sees of it, who has just come; two messages were said before."""
    room = View()
    room.take("welcome", WELCOME)
    room.take("history", history(6, 7))
    return room


def come_back(room: View, *numbers: int, name: str = "Ana") -> list[str]:
    """What is shown when the connection was lost and there is a new one."""
    shown = room.take("lost", None)
    shown += room.take("welcome", {**WELCOME, "name": name})
    return shown + room.take("history", history(*numbers))


class TestComing:
    def test_the_last_messages_are_shown_and_who_is_here(self) -> None:
        room = View()
        assert room.take("welcome", WELCOME) == []
        assert room.take("history", history(*range(1, 51))) == [
            *(f"Ben: message {number}" for number in range(51 - SHOWN_AT_FIRST, 51)),
            HERE,
        ]

    def test_the_first_one_ever_sees_who_is_here(self) -> None:
        room = View()
        room.take("welcome", WELCOME)
        assert room.take("history", history()) == [HERE]
        assert room.take("response", said(1)) == ["Ben: Hi"]


class TestComingBack:
    def test_just_what_was_missed_is_shown(self, room: View) -> None:
        assert room.take("response", said(8)) == ["Ben: Hi"]
        assert come_back(room, *range(1, 51)) == [
            "The connection to Diego was lost. Connecting again …",
            "Connected again.",
            *(f"Ben: message {number}" for number in range(9, 51)),
        ]

    def test_the_server_may_say_why_it_ended_the_connection(self, room: View) -> None:
        assert room.take("draining", {"text": "Diego restarts."}) == []
        assert not room.away
        assert room.take("lost", None) == ["Diego restarts. Connecting again …"]
        assert room.away
        assert room.take("lost", None) == ["The connection to Diego was lost. Connecting again …"]

    def test_why_one_cannot_come_back_is_shown(self, room: View) -> None:
        assert room.take("unwelcome", {"text": "Taken."}) == ["Taken."]

    def test_a_name_that_has_changed_is_told(self, room: View) -> None:
        assert "Connected again. You are Guest 2 now." in come_back(room, 6, 7, name="Guest 2")
        assert not room.away

    def test_what_was_said_to_a_new_database_is_shown_although_its_numbers_are_lower(self, room: View) -> None:
        assert come_back(room)[-1] == "Connected again."
        assert room.take("response", said(1)) == ["Ben: Hi"]
        assert come_back(room, 1, 2)[-2:] == ["Connected again.", "Ben: message 2"]


class TestMessages:
    def test_an_answer_says_to_whom(self, room: View) -> None:
        room.take("response", said(8, "@diego Hi", name="Cleo"))
        assert room.take("response", said(9, "Hello!", "Diego", answers=8)) == ["Diego → Cleo: Hello!"]
        assert room.take("response", said(10, "Hello!", "Diego", answers=7)) == ["Diego → Ben: Hello!"]
        assert room.take("response", said(11, "Hello!", "Diego", answers=2)) == ["Diego: Hello!"]

    def test_who_said_what_is_not_remembered_for_ever(self, room: View) -> None:
        for number in range(8, 9 + MAX_AUTHORS):
            room.take("response", said(number))
        assert room.take("response", said(999, "Hi", "Diego", answers=8)) == ["Diego: Hi"]
        assert room.take("response", said(1000, "Hi", "Diego", answers=20)) == ["Diego → Ben: Hi"]

    def test_forgetting_a_visitor_shows_nothing_again(self, room: View) -> None:
        room.take("response", said(8))
        assert room.take("history", history(6, 7)) == []
        assert room.take("response", said(9)) == ["Ben: Hi"]

    def test_control_characters_are_escaped_also_in_names(self, room: View) -> None:
        assert room.take("response", said(8, "\x1b[2J\u202eno", "E\nv\u2066e")) == ["E\\nv\\u2066e: \\x1b[2J\\u202eno"]
        assert room.take("joined", {"name": "E\nve"}) == ["* E\\nve has joined"]
        assert room.take("typing", {"name": "E\x1bve"}) == []
        assert room.typing() == "E\\x1bve is typing …"
        assert room.take("refused", {"text": "\x07"}) == ["\\x07"]

    def test_what_a_newer_server_sends_besides_is_ignored(self, room: View) -> None:
        assert room.take("weather", None) == []


class TestPeople:
    def test_who_joins_and_leaves_is_told(self, room: View) -> None:
        assert room.take("joined", {"name": "Cleo"}) == ["* Cleo has joined"]
        assert room.take("left", {"name": "Ben"}) == ["* Ben has left"]
        assert room.people() == "Here: Diego, Ana (you), Cleo."


class TestTyping:
    def test_it_is_shown_until_that_person_says_something_or_leaves(self, room: View) -> None:
        assert room.typing() == ""
        room.take("typing", {"name": "Ben"})
        assert room.typing() == "Ben is typing …"
        room.take("typing", {"name": "Diego"})
        assert room.typing() == "Ben and Diego are typing …"
        room.take("typing", {"name": "Cleo"})
        assert room.typing() == "3 people are typing …"
        room.take("response", said(8, name="Diego"))
        room.take("left", {"name": "Ben"})
        assert room.typing() == "Cleo is typing …"
        room.take("lost", None)
        assert room.typing() == ""

    def test_it_is_shown_for_five_seconds(self, room: View, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr("chatbot.terminal.view.time", SimpleNamespace(monotonic=lambda: now))
        room.take("typing", {"name": "Ben"})
        now += 4.9
        assert room.typing() == "Ben is typing …"
        now += 0.2
        assert room.typing() == ""
