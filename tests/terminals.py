"""A terminal, as a person has it: a pseudo-terminal, a keyboard and a screen."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.processes import SECONDS, wait_for

CTRL_A, CTRL_C, CTRL_D, UP = "\x01", "\x03", "\x04", "\x1b[A"


class Screen(pyte.Screen):
    """Answers when the program asks where the cursor is."""

    def __init__(self, program: "pexpect.spawn[str]", columns: int) -> None:
        super().__init__(columns, 40)
        self._program = program

    def write_process_input(self, data: str) -> None:
        self._program.send(data)


class Terminal:
    """A program in a terminal of 40 lines, and what its screen shows."""

    def __init__(self, program: "pexpect.spawn[str]", columns: int) -> None:
        self._program = program
        self._screen = Screen(program, columns)
        self._stream = pyte.Stream(self._screen)

    def type(self, keys: str) -> None:
        self._program.send(keys)

    def press(self, keys: bytes) -> None:
        os.write(self._program.child_fd, keys)

    def lines(self) -> list[str]:
        """What stands on the screen now, without empty lines."""
        try:
            while True:
                self._stream.feed(self._program.read_nonblocking(65536, timeout=0.02))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return [line.rstrip() for line in self._screen.display if line.strip()]

    def text(self) -> str:
        """What stands on the screen now, with a space in the place of each line break."""
        return " ".join(self.lines())

    def letters(self) -> str:
        """What stands on the screen now, without spaces and line breaks."""
        return "".join("".join(self.lines()).split())

    def shows(self, *lines: str) -> None:
        """Wait until these lines are the last ones on the screen."""
        end = time.monotonic() + SECONDS
        while (shown := self.lines())[-len(lines) :] != list(lines):
            assert time.monotonic() < end, shown

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """The program stands still as long as the block lasts."""
        self._program.kill(signal.SIGSTOP)
        try:
            yield
        finally:
            self._program.kill(signal.SIGCONT)

    def status(self) -> int | None:
        """Wait for the end; the exit status."""
        wait_for(lambda: self.lines() and not self._program.isalive())
        return self._program.exitstatus


@contextmanager
def terminal(command: Sequence[str], environment: dict[str, str], columns: int = 100) -> Iterator[Terminal]:
    """A terminal with this program; it is killed at the end if it still runs."""
    settings = {**environment, "TERM": "xterm-256color"}
    with pexpect.spawn(
        command[0], [*command[1:]], env=settings, encoding="utf-8", timeout=SECONDS, dimensions=(40, columns)
    ) as program:
        yield Terminal(program, columns)


def kept(folder: Path) -> list[tuple[str, int]]:
    """What the files in a folder say, and their modes."""
    return [(file.read_text(), file.stat().st_mode & 0o777) for file in folder.iterdir()]
