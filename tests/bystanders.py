"""Somebody who chats with a server while something else happens to it, in a process of their own."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from statistics import quantiles

import psutil
from websockets.sync.client import connect

from tests.nginx import ROOT
from tests.processes import SECONDS, Server, environment

PACE_SECONDS = 0.02
BASELINE_SECONDS = 1.0
RIGHT_AWAY_SECONDS = 0.1
"""How long 99 of 100 replies may take at most."""

SLOW_MACHINE = 3

ECHOED = {text: text for text in map("I say {}.".format, range(50))}
SMALL_TALK = {"Hello": "Hello to you.", "Where is the station?": "At the end of the road."}
"""What the small Diego of tests/small.py replies."""


@contextmanager
def bystander(server: Server, replies: Mapping[str, str] = ECHOED) -> Iterator[None]:
    """Somebody says something every 20 ms as long as the block lasts, and a second before it; the server has no rate
    limits.

    Fails if a connection is refused or lost, if any reply is not what `replies` says, or if the 99th percentile is
    more than 100 ms. On a busy machine it may be more: as many times as there are processes for each processor, or
    three times as much as it was before the block; on a virtual one, by the time that went to other machines meanwhile.
    """
    command = [sys.executable, "-m", "tests.bystanders", server.url, json.dumps(replies)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            before = process.stdout.readline()
            stolen = _stolen()
            yield
            process.stdin.close()  # which ends it
            printed = before + process.stdout.read()
            process.wait()
            stolen = _stolen() - stolen
        finally:
            process.kill()
    assert process.returncode == 0, printed
    usual, meanwhile = map(float, printed.split())
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert meanwhile <= max(RIGHT_AWAY_SECONDS * busy, SLOW_MACHINE * usual) + stolen, (
        f"Of 100 replies one took {meanwhile:.3f} s or more; before it was {usual:.3f} s."
    )


def _stolen() -> float:
    """Seconds of the processors that other virtual machines of the same host have had instead of this one."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def main(url: str, replies: Mapping[str, str]) -> None:
    """Chat; print the 99th percentile of the seconds before the block and then of those in it."""
    texts = cycle(replies)
    with connect(url, open_timeout=SECONDS) as client:

        def wait_for_reply() -> float:
            asked, text = time.monotonic(), next(texts)
            client.send(text)
            reply = client.recv(timeout=SECONDS)
            assert reply == replies[text], f"To {text!r} the reply was {reply!r}."
            return time.monotonic() - asked

        def chat(seconds: float) -> float:
            took: list[float] = []
            end = time.monotonic() + seconds
            while time.monotonic() < end and not select.select([sys.stdin], [], [], PACE_SECONDS)[0]:
                took += _with_those_not_said(wait_for_reply())
            return quantiles([*took, wait_for_reply()], n=100, method="inclusive")[-1]

        print(chat(BASELINE_SECONDS), flush=True)
        print(chat(SECONDS))


def _with_those_not_said(seconds: float) -> list[float]:
    """The time of a reply, and of those to what would have been said meanwhile: a long wait weighs more than once."""
    return [seconds - n * PACE_SECONDS for n in range(int(seconds / PACE_SECONDS) + 1)]


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
