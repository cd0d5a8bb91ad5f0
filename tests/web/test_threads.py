import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from contextvars import Context
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest

from chatbot.messages import NotNow
from chatbot.web.threads import (
    AT_ONCE,
    FULL_SECONDS,
    LATE_SECONDS,
    MOST,
    MOST_TIMES,
    SLOW_SECONDS,
    Threads,
    Told,
    _Call,
    _Used,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


@pytest.fixture
async def limited() -> AsyncIterator[Threads]:
    threads = Threads(most_waiting=3)
    yield threads
    threads.close()


async def test_it_gives_what_the_function_returns_or_raises(threads: Threads) -> None:
    assert await threads.run(max, 1, 2) == 2
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(int, "x")


async def test_the_event_loop_goes_on_meanwhile(threads: Threads) -> None:
    done = threading.Event()
    running = threads.run(done.wait, 30)
    await asyncio.sleep(0)
    done.set()
    assert await running is True


async def test_slow_functions_make_room_for_quick_ones(threads: Threads) -> None:
    done = threading.Event()
    slow = [threads.run(done.wait, 30) for _ in range(MOST - 1)]
    assert await asyncio.wait_for(threads.run(max, 1, 2), timeout=20) == 2
    done.set()
    assert all(await asyncio.gather(*slow))


async def test_what_waits_when_it_is_closed_is_never_called(threads: Threads) -> None:
    done = threading.Event()
    called: list[int] = []
    slow = [threads.run(done.wait, 30) for _ in range(MOST)]
    waiting = threads.run(called.append, 1)
    threads.close()
    done.set()
    await asyncio.gather(*slow, return_exceptions=True)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert called == []


async def test_threads_that_slow_functions_needed_end_after_them(threads: Threads) -> None:
    done = threading.Event()
    slow = [threads.run(done.wait, 30) for _ in range(20)]
    while sum(thread.name == "reply" for thread in threading.enumerate()) < 20:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*slow)
    while sum(thread.name == "reply" for thread in threading.enumerate()) > AT_ONCE:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    assert await threads.run(max, 1, 2) == 2


async def test_no_more_threads_end_than_are_too_many(threads: Threads) -> None:
    all_busy = threading.Barrier(20)
    await asyncio.gather(*(threads.run(all_busy.wait, 30) for _ in range(20)))
    threads._make_room()  # noqa: SLF001
    threads._make_room()  # noqa: SLF001 - none has ended yet
    async with asyncio.timeout(30):
        while threads._ending:  # noqa: ASYNC110, SLF001 - nothing tells
            await asyncio.sleep(0.01)
    assert len(threads._workers) == AT_ONCE  # noqa: SLF001


async def test_quick_functions_run_a_few_at_a_time(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.web.threads.SLOW_SECONDS", 30)
    running = most = 0
    lock = threading.Lock()

    def quick() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1

    await asyncio.gather(*(threads.run(quick) for _ in range(200)))
    assert 1 < most <= AT_ONCE


@pytest.mark.parametrize("seconds", [0, 0.005, 0.1])
async def test_a_call_that_is_cancelled_while_it_waits_is_never_made(threads: Threads, seconds: float) -> None:
    done = threading.Event()
    made: list[int] = []
    all_busy = threading.Barrier(MOST + 1)

    def slow() -> None:
        all_busy.wait(30)
        done.wait(30)

    busy = [threads.run(slow) for _ in range(MOST)]
    await asyncio.to_thread(all_busy.wait, 30)
    waiting = threads.run(made.append, 1)
    await asyncio.sleep(seconds)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    done.set()
    await asyncio.gather(*busy)
    assert await threads.run(max, 1, 2) == 2
    assert made == []


async def test_what_a_function_tells_is_the_result_from_whichever_thread(threads: Threads) -> None:
    def tell(number: int, told: Told[int]) -> None:
        threading.Timer(0.01, told.tell, (number,)).start()

    assert await threads.told(tell, 7) == 7


async def test_an_error_that_a_function_tells_or_raises_is_raised(threads: Threads) -> None:
    def fail(_told: Told[int]) -> None:
        raise KeyError("raised")

    with pytest.raises(ValueError, match="told"):
        await threads.told(lambda told: told.tell(None, ValueError("told")))
    with pytest.raises(KeyError, match="raised"):
        await threads.told(fail)


async def test_what_is_told_can_be_cancelled_until_the_function_begins_what_it_cannot_take_back(
    threads: Threads,
) -> None:
    asked, go = threading.Event(), threading.Event()

    def late(told: Told[bool]) -> None:
        asked.set()
        go.wait(30)
        allowed.put(told.begin())

    def early(told: Told[bool]) -> None:
        allowed.put(told.begin())

    allowed: SimpleQueue[bool] = SimpleQueue()
    cancelled = threads.told(late)
    await threads.run(asked.wait, 30)
    assert cancelled.cancel()
    go.set()
    assert await threads.run(partial(allowed.get, timeout=30)) is False
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    going = threads.told(early)
    assert await threads.run(partial(allowed.get, timeout=30)) is True
    assert not going.cancel()
    going.tell(result=True)
    assert await going is True


async def test_what_is_to_be_called_soon_is_called_in_its_turn(threads: Threads) -> None:
    called: SimpleQueue[int] = SimpleQueue()
    await threads.run(int)
    threads.soon(partial(called.put, 1))
    assert await threads.run(partial(called.get, timeout=30)) == 1


async def test_what_is_late_is_asked_for_again_and_whoever_begins_first_counts() -> None:
    def hang_once(told: Told[int]) -> None:
        calls.append(1)
        if len(calls) == 1:
            go.wait(30)
        if told.begin():
            told.tell(len(calls))
        finished.put(len(calls))

    go, calls, finished = threading.Event(), list[int](), SimpleQueue[int]()
    threads = Threads(late_seconds=0.05)
    assert await threads.told(hang_once) == 2
    assert await threads.run(partial(finished.get, timeout=30)) == 2
    go.set()
    assert await threads.run(partial(finished.get, timeout=30)) == 2
    assert calls == [1, 1]
    threads.close()


async def test_what_is_always_late_is_given_up() -> None:
    def hang(told: Told[int]) -> None:
        calls.append(1)
        go.wait(30)
        begun.put(told.begin())

    go, calls, begun = threading.Event(), list[int](), SimpleQueue[bool]()
    threads = Threads(late_seconds=0.05)
    assert await threads.told(hang) is None
    assert len(calls) == MOST_TIMES
    go.set()
    assert [await threads.run(partial(begun.get, timeout=30)) for _ in calls] == [False] * MOST_TIMES
    threads.close()


async def test_what_has_begun_is_only_waited_for() -> None:
    def keep(told: Told[int]) -> None:
        assert told.begin()
        calls.append(1)
        go.wait(30)
        told.tell(7)

    go, calls = threading.Event(), list[int]()
    threads = Threads(late_seconds=0.05)
    keeping = threads.told(keep)
    assert await threads.run(lambda: time.sleep(0.2) or go.set()) is None  # type: ignore[func-returns-value]
    assert await keeping == 7
    assert calls == [1]
    threads.close()


async def test_functions_that_hang_leave_room_for_others() -> None:
    go, threads = threading.Event(), Threads(late_seconds=0.05)
    hanging = [threads.run(go.wait, 30) for _ in range(MOST)]
    assert await asyncio.wait_for(threads.run(max, 1, 2), 20) == 2
    go.set()
    assert all(await asyncio.gather(*hanging))
    threads.close()


async def test_what_comes_while_a_thread_looks_elsewhere_is_found() -> None:
    class TakenMeanwhile(deque[Any]):
        """While it is looked at, another thread takes what is soon to be called, and an offer comes."""

        def __bool__(self) -> bool:
            looked_at = len(self) > 0
            if looked_in._soon:  # noqa: SLF001 - no test can make a thread do this at the right moment
                self.append(looked_in._soon.popleft())  # noqa: SLF001
            return looked_at

    with closing(Threads()) as looked_in:
        looked_in._offers = TakenMeanwhile()  # noqa: SLF001
        call = _Call(None, Context(), print, (), time.monotonic())
        looked_in._soon.append(call)  # noqa: SLF001
        assert looked_in._next() is call  # noqa: SLF001


@asynccontextmanager
async def all_busy(threads: Threads) -> AsyncIterator[None]:
    """No thread takes anything up as long as this lasts."""
    done = threading.Event()
    everybody = threading.Barrier(MOST + 1)

    def slow() -> None:
        everybody.wait(30)
        done.wait(30)

    busy = [threads.run(slow) for _ in range(MOST)]
    await asyncio.to_thread(everybody.wait, 30)
    yield
    done.set()
    await asyncio.gather(*busy)


async def test_what_is_offered_waits_until_nothing_else_does(threads: Threads) -> None:
    called: list[str] = []
    one_by_one = threading.Lock()

    def call(name: str) -> None:
        with one_by_one:
            called.append(name)

    def tell(told: Told[None]) -> None:
        call("offered")
        told.tell(None)

    async with all_busy(threads):
        offered = [threads.offer(call, "offered") for _ in range(5)]
        told = threads.told(tell)
        others = [threads.run(call, "other") for _ in range(6)]
    await asyncio.gather(*offered, told, *others)
    # Three threads go on at the same moment: what two of them have taken, the third may be before.
    assert called[: 6 - AT_ONCE] == ["other"] * (6 - AT_ONCE)
    assert called[6 + AT_ONCE :] == ["offered"] * (6 - AT_ONCE)


@pytest.mark.parametrize(("seconds", "place"), [(60.0, "last"), (0.0, "first")])
async def test_what_is_to_be_called_soon_waits_for_what_is_offered_but_not_for_long(
    threads: Threads, monkeypatch: pytest.MonkeyPatch, seconds: float, place: str
) -> None:
    monkeypatch.setattr("chatbot.web.threads.SOON_SECONDS", seconds)
    called: list[str] = []
    one_by_one = threading.Lock()

    def call(name: str) -> None:
        with one_by_one:
            called.append(name)

    async with all_busy(threads):
        threads.soon(partial(call, "soon"))
        offered = [threads.offer(call, "offered") for _ in range(4 * AT_ONCE)]
    await asyncio.gather(*offered)
    await threads.run(call, "end")
    while "soon" not in called:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    assert (called.index("soon") < AT_ONCE) == (place == "first")
    assert (called.index("soon") > 2 * AT_ONCE) == (place == "last")


async def test_no_more_may_be_offered_than_may_wait_but_all_else_may() -> None:
    def tell(told: Told[int]) -> None:
        told.tell(1)

    refusals: list[None] = []
    limited = Threads(most_waiting=3, note_refusal=lambda: refusals.append(None))
    async with all_busy(limited):
        offered = [limited.offer(max, 1, number) for number in range(3)]
        for call in (limited.check_room, partial(limited.offer, int), partial(limited.told, tell)):
            with pytest.raises(NotNow, match=r"Please try again in [123] s\.") as refused:
                call()
            assert 1 <= refused.value.retry_after <= 3
        assert len(refusals) == 3
        others = [limited.run(max, 1, number) for number in range(20)]
    assert await asyncio.gather(*offered) == [1, 1, 2]
    assert await asyncio.gather(*others) == [max(1, number) for number in range(20)]
    assert await limited.offer(max, 1, 2) == 2
    limited.close()


async def test_nothing_more_may_be_offered_while_the_first_has_waited_long(
    limited: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.web.threads.LATE_SECONDS", 60)
    async with all_busy(limited):
        first = limited.offer(max, 1, 2)
        limited.check_room()
        await asyncio.sleep(FULL_SECONDS)
        with pytest.raises(NotNow):
            limited.check_room()
    assert await first == 2
    limited.check_room()


async def test_who_has_waited_too_long_is_refused_and_nothing_is_called(limited: Threads) -> None:
    called: list[int] = []
    async with all_busy(limited):
        began = time.monotonic()
        offered, told = limited.offer(called.append, 1), limited.told(lambda _told: called.append(2))
        for waiting in (offered, told):
            with pytest.raises(NotNow):
                await asyncio.wait_for(waiting, 30)
        assert time.monotonic() - began >= LATE_SECONDS
        limited.check_room()
    assert await limited.offer(max, 1, 2) == 2
    assert called == []


async def test_without_a_limit_nobody_is_refused(threads: Threads) -> None:
    async with all_busy(threads):
        offered = [threads.offer(max, 1, 2) for _ in range(2000)]
        await asyncio.sleep(LATE_SECONDS + 0.1)
    assert await asyncio.gather(*offered) == [2] * 2000


@pytest.mark.parametrize(("share", "most"), [(0.0, MOST), (1.0, AT_ONCE)])
async def test_slow_functions_get_company_only_if_they_leave_the_processor_to_it(
    threads: Threads, monkeypatch: pytest.MonkeyPatch, share: float, most: int
) -> None:
    monkeypatch.setattr("chatbot.web.threads._Used.since_last", lambda _self: share)
    done = threading.Event()
    slow = [threads.run(done.wait, 30) for _ in range(2 * MOST)]
    async with asyncio.timeout(30):
        while len(threads._workers) < most:  # noqa: ASYNC110, SLF001 - nothing tells
            await asyncio.sleep(0.01)
    await asyncio.sleep(2 * SLOW_SECONDS)  # then all are slow
    for _ in range(MOST):
        threads._make_room()  # noqa: SLF001
    assert len(threads._workers) == most  # noqa: SLF001
    done.set()
    assert all(await asyncio.gather(*slow))


async def test_what_the_threads_use_is_what_the_event_loops_does_not() -> None:
    def compute(seconds: float) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    used, began = _Used(), time.monotonic()
    used.since_last()
    compute(0.1)
    await asyncio.to_thread(compute, 0.3)
    seconds = time.monotonic() - began
    assert used.since_last() * seconds == pytest.approx(0.3, abs=0.08)
