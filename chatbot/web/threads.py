"""Where replies are computed, so that the event loop is never held up."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar, TypeVarTuple

from chatbot.messages import BUSY, NotNow, in_a_moment

Args = TypeVarTuple("Args")
T = TypeVar("T")

AT_ONCE = 3
SLOW_SECONDS = 0.02
MOST = 100

MOST_TIMES = 3
"""How often a call is made that is late each time."""

COMPUTING = 0.25
"""If the threads use the processor for that share of the time, more of them would not get more done."""

FULL_SECONDS = 0.4
"""While somebody has waited so long for a thread, nobody else may: less than half of the second that a reply may take.

A thread that has been at something for longer is not one that computes.
"""

SOON_SECONDS = 0.02
"""How long a commit waits for replies that can go with it: one for each takes a fifth of the throughput."""

LATE_SECONDS = 0.6
"""Who was let in and has waited so long is refused after all: many may have come at the same moment."""


_GO_ON, _END = True, False


class _Call(NamedTuple):
    future: "asyncio.Future[Any] | None"
    context: Context
    function: Callable[..., Any]
    args: tuple[Any, ...]
    since: float = 0.0


class Threads:
    """Runs a few functions at a time, and slow ones besides. To be made and used on an event loop.

    Python runs one thread at a time anyway, and with thirty that want to, the event loop's is only one of them: pings
    then wait for 70 ms, with a few for 4 ms (docs/choices.md). But a function that takes long, because it asks a
    service for example, gets company after SLOW_SECONDS, until there are MOST threads. Up to MOST others may hang: a
    thread cannot be stopped, so whoever has taken `late_seconds` is no longer counted.

    What is offered waits until nothing else does, and is refused when too much of it waits, or for too long;
    `most_waiting` 0 is as much as there is. `note_refusal` is called for each.
    """

    def __init__(
        self,
        most_waiting: int = 0,
        late_seconds: float = math.inf,
        note_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        self._note_refusal = note_refusal
        self._late_seconds = late_seconds
        self._loop = asyncio.get_running_loop()
        self._most_waiting = most_waiting
        self._calls: deque[_Call] = deque()
        self._offers: deque[_Call] = deque()
        self._soon: deque[_Call] = deque()
        self._tickets: SimpleQueue[bool] = SimpleQueue()  # one for each call, and one for each thread that is to end
        self._used = _Used()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False
        self._workers: set[_Worker] = set()
        self._ending = 0
        self._look: asyncio.TimerHandle | None = None
        self._closed = False

    def run(self, function: Callable[[*Args], T], *args: *Args) -> "asyncio.Future[T]":
        """What the function returns or raises. Calls begin in their order; one cancelled before that is not made.

        It is cancelled if the threads are closed before.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._call(self._calls, _Call(future, copy_context(), function, args))
        return future

    def offer(self, function: Callable[[*Args], T], *args: *Args) -> "asyncio.Future[T]":
        """The same when there is nothing else to do. Raises NotNow, here or later, if there is too much."""
        self.check_room()
        future: asyncio.Future[T] = self._loop.create_future()
        self._call(self._offers, _Call(future, copy_context(), function, args, time.monotonic()))
        return future

    def told(self, function: "Callable[[*Args, Told[T]], None]", *args: *Args) -> "Told[T]":
        """What the function tells its last argument, now or later, from any thread; otherwise as `offer`.

        One that is late is called again in another thread, and whichever begins or tells first counts. If it is late
        MOST_TIMES, the result is None.
        """
        self.check_room()
        future: Told[T] = Told(self._loop, self._finish)
        self._call(self._offers, _Call(future, copy_context(), function, (*args, future), time.monotonic()))
        return future

    def check_room(self) -> None:
        """Raises NotNow if too much waits, or for too long, for more to be offered."""
        if not (self._most_waiting and self._offers):
            return
        try:
            first = self._offers[0].since
        except IndexError:  # a thread has just taken the last
            return
        if first < time.monotonic() - FULL_SECONDS or len(self._offers) >= self._most_waiting:
            raise self._busy()

    def _call(self, calls: deque[_Call], call: _Call) -> None:
        if self._closed:
            assert call.future, "somebody waits for it"
            call.future.cancel()
            return
        self._put(calls, call)
        if len(self._workers) < AT_ONCE:
            self._start()
        if self._look is None:
            self._used.since_last()
            self._look = self._loop.call_later(SLOW_SECONDS, self._make_room)

    def _put(self, calls: deque[_Call], call: _Call) -> None:
        calls.append(call)
        self._tickets.put(_GO_ON)

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function after SOON_SECONDS or when there is nothing else to do, unless the threads are closed before.

        It must not fail. Any thread may ask.
        """
        self._put(self._soon, _Call(None, Context(), function, (), time.monotonic()))

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """How many functions wait for a thread."""
        return len(self._calls) + len(self._offers) + len(self._soon)

    def close(self) -> None:
        """Start no function any more; those that run go on."""
        self._closed = True
        while call := self._next():
            if call.future:
                call.future.cancel()
        for _ in self._workers:
            self._tickets.put(_END)
        if self._look:
            self._look.cancel()

    def _next(self) -> _Call | None:
        """Take what is to be called next; None if there is nothing, as it was refused. Any thread may ask."""
        while self.waiting:  # what came while this looked elsewhere is found in the next round
            due = self._soon if self._is_due() else self._calls
            for calls in (self._calls, due, self._offers, self._soon):
                try:
                    if calls:
                        return calls.popleft()
                except IndexError:  # another has just taken the last
                    continue
        return None

    def _is_due(self) -> bool:
        try:
            return bool(self._soon) and self._soon[0].since < time.monotonic() - SOON_SECONDS
        except IndexError:  # as above
            return False

    def _start(self) -> None:
        worker = _Worker(self._tickets, self._next, self._finish, self._ended)
        with suppress(RuntimeError):  # the system has no thread left; it is asked again at the next look
            worker.start()
            self._workers.add(worker)

    def _make_room(self) -> None:
        """See to it that AT_ONCE threads are not held up by slow functions; look again while any is busy."""
        now = time.monotonic()
        self._refuse_late(now - LATE_SECONDS)
        late = self._call_again(now - self._late_seconds)
        quick, lively = (self._begun_after(now - seconds) for seconds in (SLOW_SECONDS, FULL_SECONDS))
        waiting = self.waiting > 0
        computing = self._used.since_last() > COMPUTING and lively >= AT_ONCE
        if quick < AT_ONCE and waiting and not computing and len(self._workers) - min(late, MOST) < MOST:
            self._start()
        for _ in range(quick - AT_ONCE):
            self._ending += 1
            self._tickets.put(_END)
        busy = waiting or any(worker.began < _IDLE for worker in self._workers)
        self._look = self._loop.call_later(SLOW_SECONDS, self._make_room) if busy else None

    def _begun_after(self, time: float) -> int:
        """How many threads are idle or have begun what they do after that, without those that are to end."""
        return sum(worker.began > time for worker in self._workers) - self._ending

    def _call_again(self, begun: float) -> int:
        """Have late calls, those that were begun before that, made once more; how many there are."""
        late = 0
        for worker in self._workers:
            call = worker.call  # first, as when it began is noted after it
            if worker.began > begun:
                continue
            late += 1
            future = call.future if call else None
            if call and worker.made_again is not call and isinstance(future, Told) and not future.over:
                worker.made_again = call
                future.times += 1
                if future.times < MOST_TIMES:
                    self._put(self._calls, call._replace(context=call.context.copy()))  # the other is in use
                elif future.begin():
                    future.tell(None)
        return late

    def _refuse_late(self, late: float) -> None:
        with suppress(IndexError, ValueError):  # there is no other, or a thread has just taken it
            while self._most_waiting and (call := self._offers[0]).since < late:
                self._offers.remove(call)
                if call.future and not call.future.done():
                    call.future.set_exception(self._busy())

    def _busy(self) -> NotNow:
        self._note_refusal()
        return in_a_moment(BUSY)

    def _finish(self, future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
        """Called in a thread; the event loop is woken once for all that is done until it looks."""
        self._done.append((future, result, error))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        while self._done:
            future, result, error = self._done.popleft()
            if future.done():  # cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _ended(self, worker: "_Worker") -> None:
        """Called in a thread."""
        with suppress(RuntimeError):  # as above
            self._loop.call_soon_threadsafe(self._forget, worker)

    def _forget(self, worker: "_Worker") -> None:
        self._workers.discard(worker)
        self._ending -= 1


class Told(asyncio.Future[T], Generic[T]):
    """What a function tells; it can be cancelled until the function begins what cannot be taken back."""

    def __init__(self, loop: asyncio.AbstractEventLoop, finish: Callable[..., None]) -> None:
        super().__init__(loop=loop)
        self._finish = finish
        self.times = 0
        """How often it was late."""
        self._first = threading.Lock()  # taken by whoever is: the function that begins, or who cancels

    @property
    def over(self) -> bool:
        """Whether it is told, cancelled or about to be told."""
        return self.done() or self._first.locked()

    def begin(self) -> bool:
        """To be called before what cannot be taken back; False if it is cancelled."""
        return self._first.acquire(blocking=False)

    def tell(self, result: T | None, error: BaseException | None = None) -> None:
        """The result or the error."""
        self._finish(self, result, error)

    def cancel(self, msg: Any | None = None) -> bool:
        """As of every future; False once the function has begun."""
        return self._first.acquire(blocking=False) and super().cancel(msg)


_IDLE = float("inf")


class _Worker(threading.Thread):
    """Makes calls as long as it gets tickets for them."""

    def __init__(
        self,
        tickets: SimpleQueue[bool],
        take: Callable[[], _Call | None],
        finish: Callable[..., None],
        ended: Callable[["_Worker"], None],
    ) -> None:
        super().__init__(name="reply")
        self.began = _IDLE
        self.call: _Call | None = None
        self.made_again: _Call | None = None
        """The call that was late and is made again."""
        self._tickets = tickets
        self._take = take
        self._finish = finish
        self._ended = ended

    def run(self) -> None:
        """Work."""
        while self._tickets.get():
            if call := self._take():
                self._make(call)
        self._ended(self)

    def _make(self, call: _Call) -> None:
        future = call.future
        if future is None or not future.cancelled():
            self.call = call
            self.began = time.monotonic()
            result, error = _outcome(call)
            self.began = _IDLE
            if future and (error is not None or not isinstance(future, Told)):
                self._finish(future, result, error)


class _Used:
    """How much of a processor the threads beside that of the event loop use."""

    def __init__(self) -> None:
        self._seconds = self._at = 0.0

    def since_last(self) -> float:
        """The share of the time since this was asked the last time. To be asked on the event loop."""
        seconds, at = time.process_time() - time.thread_time(), time.monotonic()
        share = (seconds - self._seconds) / max(at - self._at, SLOW_SECONDS)
        self._seconds, self._at = seconds, at
        return share


def _outcome(call: _Call) -> tuple[Any, BaseException | None]:
    try:
        return call.context.run(call.function, *call.args), None
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
        return None, error
