"""Several processes that serve at one port: kept at work, replaced one after the other, and stopped together."""

import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple

logger = logging.getLogger(__name__)

PAUSE_SECONDS = (1.0, 30.0)
"""How long to wait before a worker is replaced that has ended by itself; each time longer, if none gets ready."""

GRACE_SECONDS = 5.0
"""How much longer a worker may take to stop than it should, before it is killed."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_ALL_SIGNALS = (*_SIGNALS, signal.SIGHUP)
_FORK, _SPAWN = "fork", "spawn"


class Lifeline(NamedTuple):
    """What joins a worker to who started it."""

    ready: Connection
    """Where it says that it is ready."""
    parent: Connection
    """Where nothing is said; it is over when that process is."""


class _Worker:
    """One of them."""

    def __init__(self, how: str, work: Callable[[Lifeline], None], others: Iterable["_Worker"]) -> None:
        context = multiprocessing.get_context(how)
        self.ready, ready = context.Pipe(duplex=False)
        parent, self.own_end = context.Pipe(duplex=False)
        # A process that is forked has what keeps the others alive, too.
        inherited = [self.own_end, *(other.own_end for other in others)] if how == _FORK else []
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]  # every context has it
            target=_begin, args=(work, Lifeline(ready, parent), inherited)
        )
        signal.pthread_sigmask(signal.SIG_BLOCK, _ALL_SIGNALS)  # until it has no handlers of its parent
        self.process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ALL_SIGNALS)
        ready.close()
        parent.close()
        self.is_ready = False
        self.has_ended = False

    def send(self, numbers: Sequence[int]) -> None:
        """Send it signals."""
        for number in numbers:
            if self.process.is_alive() and self.process.pid:
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill it if it has not ended."""
        if self.process.is_alive():
            logger.warning("A worker has not stopped, and is killed.")
            self.process.kill()
        self.process.join()


def _begin(work: Callable[[Lifeline], None], lifeline: Lifeline, inherited: Iterable[Connection]) -> None:
    for end in inherited:
        end.close()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setpgrp()  # a Ctrl-C is for who started it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ALL_SIGNALS)
    work(lifeline)


class Workers:
    """So many processes that do some work, each until it gets a signal; it says by its lifeline when it has begun."""

    def __init__(self, work: Callable[[Lifeline], None], number: int, stop_seconds: float) -> None:
        self._work = work
        self._number = number
        self._patience = stop_seconds + GRACE_SECONDS
        # Forked workers share the memory of all that was imported before: some 60 MB each. Not on macOS, whose own
        # libraries do not stand it.
        self._how = _FORK if sys.platform == "linux" else _SPAWN
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._stopping: list[int] = []
        self._is_to_restart = False
        self._pause = PAUSE_SECONDS[0]
        self._wakened, self._waker = socket.socketpair()

    def run(self, ready: Callable[[], None]) -> int:
        """Keep them at work until a signal says to stop, and call that function when all are; the exit status.

        SIGHUP has each replaced by a new one that is ready before the old one stops, with the code as it is then.
        """
        for end in (self._wakened, self._waker):
            end.setblocking(False)  # noqa: FBT003 - as it is called
        signal.set_wakeup_fd(self._waker.fileno())
        for stop in _SIGNALS:
            signal.signal(stop, lambda number, _frame: self._stopping.append(number))
        signal.signal(signal.SIGHUP, lambda *_: setattr(self, "_is_to_restart", True))
        gc.collect()
        gc.freeze()  # to look at it would have the memory copied
        # The first alone: what it works out the others find.
        for number in (1, self._number - 1):
            if status := self._start(number):
                self._stop()
                return status
        if not self._stopping:
            ready()
        while not self._stopping:
            if dead := [worker for worker in self._workers if worker.has_ended]:
                self._replace(dead)
            elif self._is_to_restart:
                self._restart()
            else:
                self._wait()
        self._stop()
        return 0

    def _start(self, number: int) -> int:
        """Start so many more; the exit status of the first that does not get ready, 0 if all do."""
        new = []
        for _ in range(number):
            new.append(_Worker(self._how, self._work, (*self._workers, *self._leaving)))
            self._workers.append(new[-1])
        while not self._stopping and not all(worker.is_ready for worker in new):
            self._wait()
            for worker in new:
                if worker.has_ended and not worker.is_ready:
                    self._workers.remove(worker)
                    return worker.process.exitcode or 1
        return 0

    def _replace(self, dead: Iterable[_Worker]) -> None:
        for worker in dead:
            logger.error("A worker has ended by itself (%s); another takes its place.", worker.process.exitcode)
            self._workers.remove(worker)
        self._sleep(self._pause)
        while not self._stopping and len(self._workers) < self._number:
            if self._start(1):
                self._pause = min(2 * self._pause, PAUSE_SECONDS[1])
                self._sleep(self._pause)
            else:
                self._pause = PAUSE_SECONDS[0]

    def _restart(self) -> None:
        self._is_to_restart = False
        self._how = _SPAWN  # with the code as it is now
        logger.info("All workers are replaced, one after the other.")
        for old in [*self._workers]:
            if self._stopping:
                return
            if self._start(1):
                logger.error("The new worker did not get ready; the old ones go on.")
                return
            self._workers.remove(old)
            self._leaving = [old]
            self._end(self._leaving, signal.SIGTERM)
        logger.info("All workers have been replaced.")

    def _stop(self) -> None:
        self._end(self._workers, *self._stopping or (signal.SIGTERM,))

    def _end(self, workers: Sequence[_Worker], *numbers: int) -> None:
        """Send workers signals, and those that come meanwhile, until they have ended."""
        end = time.monotonic() + self._patience
        sent = len(self._stopping)
        while True:
            for worker in workers:
                worker.send(numbers)
            left = end - time.monotonic()
            if left <= 0 or all(worker.has_ended for worker in workers):
                break
            self._wait(left)
            numbers, sent = tuple(self._stopping[sent:]), len(self._stopping)
        for worker in workers:
            worker.kill()

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            self._wait(left)

    def _wait(self, seconds: float | None = None) -> None:
        """Wait until something happens, and note who is ready and who has ended."""
        living = [worker for worker in (*self._workers, *self._leaving) if not worker.has_ended]
        new = [worker.ready for worker in living if not worker.is_ready]
        happened = wait([self._wakened, *new, *(worker.process.sentinel for worker in living)], seconds)
        for worker in living:
            if worker.ready in happened:
                with suppress(EOFError):  # it has ended
                    worker.is_ready = worker.ready.recv()
            if worker.process.sentinel in happened:
                worker.process.join()
                worker.has_ended = True
        with suppress(BlockingIOError):
            self._wakened.recv(1024)
