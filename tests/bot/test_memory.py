import pytest

from chatbot.bot.memory import MOST_REPLIES, Memory

REPLIES = ["one", "two", "three"]


def test_what_was_said_last_is_known_of_each_conversation() -> None:
    memory = Memory()
    memory.note("a", "one")
    memory.note("a", "two")
    memory.note("b", "three")
    assert (memory.last("a"), memory.last("b"), memory.last("c")) == ("two", "three", "")


def test_replies_vary() -> None:
    assert {Memory().choose("a", REPLIES) for _ in range(200)} == {*REPLIES}


def test_no_reply_is_repeated_while_there_are_others() -> None:
    for _ in range(20):
        memory = Memory()
        for _ in REPLIES:
            memory.note("a", memory.choose("a", REPLIES))
        assert {*memory._replies["a"]} == {*REPLIES}  # noqa: SLF001


def test_when_all_were_given_the_oldest_comes_again() -> None:
    memory = Memory()
    for reply in ("two", "one", "three", "one"):
        memory.note("a", reply)
    assert memory.choose("a", REPLIES) == "two"
    memory.note("a", "two")
    assert memory.choose("a", REPLIES) == "three"


def test_conversations_do_not_know_of_each_other() -> None:
    memory = Memory()
    memory.note("a", "one")
    assert {memory.choose("b", ["one"]) for _ in range(5)} == {"one"}
    assert {memory.choose("b", ["one", "two"]) for _ in range(100)} == {"one", "two"}


def test_of_a_conversation_the_last_replies_are_kept() -> None:
    memory = Memory()
    for number in range(100):
        memory.note("a", str(number))
    assert list(memory._replies["a"]) == [str(number) for number in range(100 - MOST_REPLIES, 100)]  # noqa: SLF001


def test_the_conversations_talked_in_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.memory.MOST_CONVERSATIONS", 3)
    memory = Memory()
    for conversation in ("a", "b", "c", "a", "d"):
        memory.note(conversation, f"in {conversation}")
    assert [memory.last(conversation) for conversation in "abcd"] == ["in a", "", "in c", "in d"]


def test_one_thread_at_a_time_changes_it_or_copies_from_it() -> None:
    memory = Memory()
    alone: list[bool] = []

    class Watched(str):
        __slots__ = ()

        def __hash__(self) -> int:
            alone.append(memory._lock.locked())  # noqa: SLF001
            return super().__hash__()

    memory.note(Watched("a"), "one")
    memory.choose(Watched("a"), REPLIES)
    assert {*alone} == {True}


def test_asking_remembers_nothing() -> None:
    memory = Memory()
    memory.last("a")
    memory.choose("a", REPLIES)
    assert len(memory._replies) == 0  # noqa: SLF001
