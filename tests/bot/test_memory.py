from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from chatbot.bot.memory import MOST_REPLIES, Memory

REPLIES = ["one", "two", "three"]


def say(memory: Memory, conversation: str, reply: str) -> None:
    """Note a reply as Diego does, who looks first at what was said before."""
    memory.last(conversation)
    memory.note(conversation, reply)


def test_what_was_said_last_is_known_of_each_conversation() -> None:
    memory = Memory()
    say(memory, "a", "one")
    say(memory, "a", "two")
    say(memory, "b", "three")
    assert (memory.last("a"), memory.last("b"), memory.last("c")) == ("two", "three", "")


def test_replies_vary() -> None:
    assert {Memory().choose("a", REPLIES) for _ in range(200)} == {*REPLIES}


def test_no_reply_is_repeated_while_there_are_others() -> None:
    for _ in range(20):
        memory = Memory()
        for _ in REPLIES:
            say(memory, "a", memory.choose("a", REPLIES))
        assert {*memory._replies["a"]} == {*REPLIES}  # noqa: SLF001


def test_when_all_were_given_the_oldest_comes_again() -> None:
    memory = Memory()
    for reply in ("two", "one", "three", "one"):
        say(memory, "a", reply)
    assert memory.choose("a", REPLIES) == "two"
    say(memory, "a", "two")
    assert memory.choose("a", REPLIES) == "three"


def test_conversations_do_not_know_of_each_other() -> None:
    memory = Memory()
    say(memory, "a", "one")
    assert {memory.choose("b", ["one"]) for _ in range(5)} == {"one"}
    assert {memory.choose("b", ["one", "two"]) for _ in range(100)} == {"one", "two"}


def test_of_a_conversation_the_last_replies_are_kept() -> None:
    memory = Memory()
    for number in range(100):
        say(memory, "a", str(number))
    assert list(memory._replies["a"]) == [str(number) for number in range(100 - MOST_REPLIES, 100)]  # noqa: SLF001


def test_the_conversations_talked_in_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.memory.MOST_CONVERSATIONS", 3)
    memory = Memory()
    for conversation in ("a", "b", "c", "a", "d"):
        say(memory, conversation, f"in {conversation}")
    assert [memory.last(conversation) for conversation in "acdb"] == ["in a", "in c", "in d", ""]


def test_one_thread_at_a_time_changes_it_or_copies_from_it() -> None:
    memory = Memory()
    alone: list[bool] = []

    class Watched(str):
        __slots__ = ()

        def __hash__(self) -> int:
            alone.append(memory._lock.locked())  # noqa: SLF001
            return super().__hash__()

    say(memory, Watched("a"), "one")
    memory.choose(Watched("a"), REPLIES)
    assert {*alone} == {True}


class Log:
    """What was said before, and who asked for it."""

    def __init__(self, *replies: str) -> None:
        self.replies = replies
        self.asked: list[str] = []

    def __call__(self, conversation: str, limit: int) -> Sequence[str]:
        assert limit == MOST_REPLIES
        self.asked.append(conversation)
        return self.replies


def test_what_was_said_before_is_recalled_once() -> None:
    log = Log("one", "two")
    memory = Memory(log)
    assert memory.last("a") == "two"
    assert {memory.choose("a", REPLIES) for _ in range(5)} == {"three"}
    say(memory, "a", "three")
    assert memory.last("a") == "three"
    assert memory.choose("a", REPLIES) == "one"
    assert log.asked == ["a"]


@pytest.mark.parametrize("first", ["last", "choose"])
def test_a_conversation_without_a_word_is_asked_for_once_whatever_comes_first(first: str) -> None:
    log = Log()
    memory = Memory(log)
    steps: dict[str, Callable[[], object]] = {
        "last": lambda: memory.last("a"),
        "choose": lambda: memory.choose("a", REPLIES),
        "note": lambda: say(memory, "a", "one"),
    }
    for step in (first, *steps):
        steps[step]()
    assert log.asked == ["a"]


def test_what_was_said_before_goes_on_with_what_is_said_now() -> None:
    memory = Memory(Log("one"))
    say(memory, "a", "two")
    assert {memory.choose("a", REPLIES) for _ in range(5)} == {"three"}


def test_however_much_is_recalled_the_last_is_kept() -> None:
    memory = Memory(Log(*map(str, range(100))))
    assert memory.last("a") == "99"
    assert len(memory._replies["a"]) == MOST_REPLIES  # noqa: SLF001


def test_who_only_asks_makes_it_no_larger_than_who_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.memory.MOST_CONVERSATIONS", 3)
    memory = Memory()
    for number in range(100):
        memory.last(str(number))
    assert len(memory._replies) == 3  # noqa: SLF001


def test_a_conversation_that_made_room_is_recalled_when_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.memory.MOST_CONVERSATIONS", 1)
    log = Log("one")
    memory = Memory(log)
    assert [memory.last(conversation) for conversation in "aabba"] == ["one"] * 5
    assert log.asked == ["a", "b", "a"]


def test_a_failure_to_recall_is_told_and_nothing_is_remembered_of_it() -> None:
    log = Log("one")

    def recall(conversation: str, limit: int) -> Sequence[str]:
        if not log.asked:
            log.asked.append(conversation)
            raise OSError("as asked for")
        return log(conversation, limit)

    memory = Memory(recall)
    with pytest.raises(OSError, match="as asked for"):
        memory.last("a")
    assert memory.last("a") == "one"


def test_a_forgotten_conversation_is_as_if_nothing_had_been_said() -> None:
    memory = Memory()
    for conversation in "ab":
        say(memory, conversation, "one")
    memory.forget("a")
    memory.forget("c")
    assert (memory.last("a"), memory.last("b")) == ("", "one")
    assert {memory.choose("a", ["one"]) for _ in range(5)} == {"one"}


def test_what_is_kept_of_a_conversation_that_is_not_in_memory_is_recalled_and_not_noted_twice() -> None:
    memory = Memory(Log("one"))
    memory.note("a", "one")
    assert memory.last_replies("a") == ["one"]


def test_two_threads_that_recall_the_same_have_one_memory_of_it() -> None:
    both_ask = Barrier(2)

    def recall(_conversation: str, _limit: int) -> Sequence[str]:
        both_ask.wait(30)
        return ["one"]

    memory = Memory(recall)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda reply: say(memory, "a", reply), ["two", "three"]))
    assert sorted(memory._replies["a"]) == ["one", "three", "two"]  # noqa: SLF001
