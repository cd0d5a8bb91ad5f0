import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from chatbot.messages import TOO_LONG
from chatbot.terminal.connecting import LATER
from chatbot.terminal.screen import show_aside
from chatbot.web.commands import NO_LESSONS
from client import HELP, next_line, reason_of
from tests.nginx import ROOT
from tests.processes import LIMITED, STAND_IN, Server, environment, serving, wait_for
from tests.scale import AWAY
from tests.terminals import CTRL_A, CTRL_C, CTRL_D, UP, Terminal, terminal

CLIENT = str(ROOT / "client.py")


pytestmark = pytest.mark.usefixtures("state")


def paste(text: str) -> str:
    """What a terminal sends when a person pastes."""
    return f"\x1b[200~{text}\x1b[201~"


def test_why_a_connection_was_closed_is_shown_escaped() -> None:
    assert reason_of(ConnectionClosedError(Close(1011, "\x1b[2J"), None)) == "\\x1b[2J"
    assert reason_of(ConnectionClosedError(Close(1011, ""), None)) == "Diego closed the connection (1011)."


@pytest.mark.anyio
class TestNextLine:
    async def test_what_comes_before_the_line_is_shown_even_if_showing_takes_longer(self) -> None:
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        shown: list[str] = []
        typed, printed = asyncio.Event(), asyncio.Event()

        async def show(text: str) -> None:
            lines.put_nowait("Hi")
            await typed.wait()
            shown.append(text)
            printed.set()

        async def talks(connection: ServerConnection) -> None:
            await connection.send("unasked\x07")
            await connection.send(f"{await connection.recv(decode=True)}!")

        async with local_server(talks) as url, connect(url) as connection:
            assert await asyncio.wait_for(next_line(connection, lines, show), 30) == "Hi"
            typed.set()
            await asyncio.wait_for(printed.wait(), 30)
            assert shown == ["unasked\\x07"]
            await connection.send("Hi")
            assert await connection.recv() == "Hi!"

    async def test_a_line_is_not_lost_when_the_connection_ends_at_the_same_time(self) -> None:
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        lines.put_nowait("Hi")
        async with local_server(lambda connection: connection.close()) as url, connect(url) as connection:
            await connection.wait_closed()
            assert await next_line(connection, lines, show_aside) == "Hi"


def run(*arguments: str, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The client with its input from a pipe."""
    return subprocess.run(
        [sys.executable, CLIENT, *arguments],
        input=said,
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )


def started(url: str) -> "subprocess.Popen[bytes]":
    """The client with an input that stays open."""
    return subprocess.Popen(
        [sys.executable, CLIENT, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


@contextmanager
def piped(server: Server) -> Iterator["subprocess.Popen[bytes]"]:
    """The same, connected."""
    with started(server.url) as process:
        wait_for(lambda: server.count() == 1)
        yield process


@pytest.mark.server
class TestScripts:
    def test_once_prints_just_the_reply(self, server: Server) -> None:
        done = run("--once", "Hi", server.url)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"Hi\n", b"")

    def test_what_is_no_terminal_gets_long_lines_as_they_are(self, server: Server) -> None:
        said = "extraordinary " * 20 + "indeed"
        assert run("--once", said, server.url).stdout.decode() == f"{said}\n"
        assert run(server.url, said=said.encode()).stdout.decode() == f"{said}\n"

    def test_a_pipe_gets_just_the_replies_in_order(self, server: Server) -> None:
        done = run(server.url, said="Hi\n\n /quit \nüber\n".encode() + b"caf\xe9\nno line break")
        assert (done.returncode, done.stderr) == (0, b"")
        first, of_quit, *others = done.stdout.decode().splitlines()
        assert [first, *others] == ["Hi", "über", "caf�", "no line break"]
        assert of_quit.startswith("There is no command /quit. ")  # the server says so

    def test_a_pipe_gets_each_reply_at_once(self, server: Server) -> None:
        with subprocess.Popen(
            [sys.executable, CLIENT, server.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for line in (b"one\n", b"two\n"):
                process.stdin.write(line)
                process.stdin.flush()
                assert process.stdout.readline() == line

    def test_bytes_that_are_not_utf_8_are_replaced(self, server: Server) -> None:
        done = subprocess.run(
            [sys.executable.encode(), CLIENT.encode(), b"--once", b"caf\xe9", server.url.encode()],
            capture_output=True,
            env=environment(),
            timeout=60,
            check=True,
        )
        assert done.stdout == b"caf?\n"

    def test_a_server_out_of_reach_is_one_sentence_and_status_1(self) -> None:
        done = run("--once", "Hi", "ws://127.0.0.1:1/conversation")
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr == (
            b"Diego cannot be reached at ws://127.0.0.1:1/conversation (Connection refused). Start him with: make run\n"
        )

    def test_a_place_without_a_diego_is_one_sentence_and_status_1(self, server: Server) -> None:
        done = run("--once", "Hi", f"ws://{server.address}/nowhere")
        assert done.returncode == 1
        assert b"HTTP 404" in done.stderr
        assert done.stderr.count(b"\n") == 1

    def test_a_wrong_address_is_one_sentence_and_status_1(self) -> None:
        done = run("--once", "Hi", "ftp://diego")
        assert done.returncode == 1
        assert done.stderr.startswith(b"ftp://diego is no address of a Diego")

    def test_a_connection_that_ends_is_one_sentence_and_status_1(self, server: Server) -> None:
        done = run("--once", "x" * 20_000, server.url)
        assert (done.returncode, done.stdout) == (1, b"")
        assert re.fullmatch(rb"frame with 200\d\d bytes exceeds limit of 16384 bytes\n", done.stderr)

    def test_ctrl_c_ends_it_while_it_waits_for_input(self, server: Server) -> None:
        with piped(server) as process:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130

    def test_a_server_that_stops_is_told_while_it_waits_for_input(self, own_server: Server) -> None:
        with piped(own_server) as process:
            own_server.stop()
            assert process.wait(30) == 1
            assert process.stderr is not None
            assert process.stderr.read() == b"Diego restarts; please come back in a moment.\n"

    def test_no_input_at_all_is_no_error(self, server: Server) -> None:
        command = f"{sys.executable} {CLIENT} {server.url} <&-"
        done = subprocess.run(["bash", "-c", command], capture_output=True, env=environment(), timeout=60, check=True)
        assert (done.stdout, done.stderr) == (b"", b"")

    def test_more_input_than_is_held_at_a_time_is_answered_in_order(self, server: Server) -> None:
        said = "".join(f"line {number}\n" for number in range(1000)).encode()
        assert run(server.url, said=said).stdout == said

    def test_a_pipe_waits_when_it_is_too_quick_and_gets_all_replies(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN, port=0, **LIMITED) as server:
            said = "".join(f"line {number}\n" for number in range(64)).encode()
            done = run(server.url, said=said)
            assert (done.returncode, done.stdout) == (0, said)
            assert {*done.stderr.decode().splitlines()} == {LATER}

    def test_a_terminal_without_unicode_gets_what_it_can_show(self, server: Server) -> None:
        done = subprocess.run(
            [sys.executable, CLIENT, "--once", "café 😀", server.url],
            capture_output=True,
            env=environment(PYTHONIOENCODING="latin-1"),
            timeout=60,
            check=True,
        )
        assert done.stdout == b"caf\xe9 ?\n"

    def test_a_full_disk_is_one_sentence(self, server: Server) -> None:
        command = f"{sys.executable} {CLIENT} --once Hi {server.url} >/dev/full"
        done = subprocess.run(["bash", "-c", command], capture_output=True, env=environment(), timeout=60, check=False)
        assert (done.returncode, done.stderr) == (1, b"The reply cannot be printed: No space left on device.\n")

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("ws://me@127.0.0.1:1", b"Diego cannot be reached"),
            ("ws://a..b", b"Diego cannot be reached"),
            (f"ws://{'x' * 70}", b"Diego cannot be reached"),
            (f"ws://{'x' * 300}", b"Diego cannot be reached"),
            ("ws://caf\udce9", b"Diego cannot be reached"),
        ],
    )
    def test_an_odd_address_is_one_sentence(self, url: str, reason: bytes) -> None:
        done = run("--once", "Hi", url)
        assert done.returncode == 1
        assert done.stderr.startswith(reason)
        assert done.stderr.count(b"\n") == 1

    def test_a_server_without_tls_is_named_so(self, server: Server) -> None:
        done = run("--once", "Hi", server.url.replace("ws:", "wss:"))
        assert done.returncode == 1
        assert b"(WRONG_VERSION_NUMBER)" in done.stderr or b"(RECORD_LAYER_FAILURE)" in done.stderr

    def test_pipes_and_once_are_the_visitor_of_the_last_run(self, server: Server) -> None:
        first = run("--once", "conversation", server.url).stdout
        assert len(first.strip()) == 32
        assert run("--once", "conversation", server.url).stdout == first
        assert run(server.url, said=b"conversation\n").stdout == first

    def test_new_makes_a_stranger_and_as_another_visitor(self, server: Server) -> None:
        anna = run("--as", "Anna_1-", "--once", "conversation", server.url).stdout
        first = run("--once", "conversation", server.url).stdout
        second = run("--new", "--once", "conversation", server.url).stdout
        assert len({anna, first, second}) == 3
        assert run("--once", "conversation", server.url).stdout == second
        assert run("--as", "Anna_1-", "--once", "conversation", server.url).stdout == anna

    @pytest.mark.parametrize("name", ["", " ", "x" * 33, "a\x1bb"])
    def test_what_is_no_name_is_refused_with_a_sentence(self, name: str) -> None:
        done = run("--as", name, "--once", "Hi")
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode() == (
            f"{name!a} is no name for --as: use 1 to 32 characters, none of them a control character.\n"
        )

    @pytest.mark.anyio
    async def test_what_was_not_asked_for_is_not_among_the_replies(self) -> None:
        async def talks(connection: ServerConnection) -> None:
            await connection.send("By the way.")
            await asyncio.wait_for(connection.recv(), 30)
            await connection.send("two\nlines")
            await connection.wait_closed()

        async with local_server(talks) as url:
            with started(url) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                assert process.stderr is not None
                assert await asyncio.to_thread(process.stderr.readline) == b"By the way.\n"
                process.stdin.write(b"Hi\n")
                process.stdin.close()
                assert await asyncio.to_thread(process.stdout.read) == b"two\nlines\n"
                assert await asyncio.to_thread(process.wait, 30) == 0

    @pytest.mark.anyio
    async def test_a_reply_may_be_longer_than_a_megabyte(self) -> None:
        async def exports(connection: ServerConnection) -> None:
            await connection.recv()
            await connection.send("x" * 3_000_000)
            await connection.wait_closed()

        async with local_server(exports) as url:
            done = await asyncio.to_thread(run, "--once", "/export", url)
        assert (done.returncode, len(done.stdout), done.stderr) == (0, 3_000_001, b"")

    def test_a_reader_that_goes_away_is_no_error(self, server: Server) -> None:
        command = f"yes Hi | head -2000 | {sys.executable} {CLIENT} {server.url} | head -1"
        done = subprocess.run(["bash", "-c", command], capture_output=True, env=environment(), timeout=60, check=True)
        assert (done.stdout, done.stderr) == (b"Hi\n", b"")


def chat(url: str, state: Path) -> AbstractContextManager[Terminal]:
    """The client in a terminal."""
    return terminal([sys.executable, CLIENT, url], environment(XDG_STATE_HOME=str(state)))


NO_REPLY = "Diego has no reply to what you said last."
GREETING = "You are talking to Diego. /help helps, Ctrl-D leaves."


@pytest.mark.server
class TestTerminal:
    def test_it_chats_until_ctrl_d(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("Hi\r")
            screen.shows(GREETING, "> Hi", "Hi", ">")
            screen.type(CTRL_D)
            assert screen.status() == 0
            screen.shows("> Hi", "Hi", ">", "Goodbye!")

    def test_quit_leaves(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("/quit\r")
            assert screen.status() == 0
            screen.shows("> /quit", "Goodbye!")

    def test_help(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("/help\r")
            screen.shows("> /help", *HELP.splitlines(), ">")

    @pytest.mark.parametrize(
        ("line", "answer"),
        [
            ("/lessons", NO_LESSONS),
            ("/teach Hi => Ho", "I have learned that, just for you: Hi => Ho"),
            ("/help me", "Please write it like this: /help"),
            ("/unteach two", "Please write it like this: /unteach 1"),
            ("/", "/"),
        ],
    )
    def test_every_other_command_goes_to_the_server(
        self, server: Server, tmp_path: Path, line: str, answer: str
    ) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type(f"{line}\r")
            screen.shows(f"> {line}", answer, ">")

    def test_ctrl_c_drops_the_line(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("not this")
            screen.shows("> not this")
            screen.type(CTRL_C)
            screen.shows("> not this", ">")
            screen.type("but this\r")
            screen.shows("> but this", "but this", ">")

    def test_a_line_can_be_edited(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("iego" + CTRL_A + "D\r")
            screen.shows("> Diego", "Diego", ">")

    def test_an_empty_line_is_not_said(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("\r  \rHi\r")
            screen.shows(GREETING, ">", ">", "> Hi", "Hi", ">")

    def test_earlier_lines_come_back_also_in_the_next_run(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("an earlier line\r")
            screen.shows("an earlier line", ">")
            screen.type(UP)
            screen.shows("an earlier line", "> an earlier line")
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type(UP)
            screen.shows("> an earlier line")
        assert (tmp_path / "diego" / "history").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "diego").stat().st_mode & 0o777 == 0o700

    def test_it_chats_where_no_history_can_be_kept(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "diego").write_text("no folder")
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("Hi\r")
            screen.shows("> Hi", "Hi", ">")

    def test_one_can_go_on_typing_while_diego_thinks(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("slow 1\r")
            screen.shows("> slow 1", ">")
            screen.type("next\rhalf a li")
            screen.shows("> slow 1", "> next", "> half a li")
            screen.shows("> slow 1", "> next", "slow 1", "next", "> half a li")

    def test_a_long_reply_is_broken_at_spaces(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type(paste(" ".join(["extraordinary"] * 9)) + "\r")
            screen.shows(" ".join(["extraordinary"] * 7), "extraordinary extraordinary", ">")

    def test_what_the_server_refuses_is_not_said_again(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type(paste("x" * 20_000) + "\r")
            screen.shows("Connected again.", NO_REPLY, ">")
            assert "bytes exceeds limit of 16384 bytes Connecting again …" in screen.text()
            screen.type("Hi\r")
            screen.shows(NO_REPLY, "> Hi", "Hi", ">")

    def test_what_is_too_long_is_told_by_diego(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type(paste("x" * 1001) + "\r")
            screen.shows(TOO_LONG, ">")

    def test_a_restarted_server_is_found_again_and_gets_what_was_said_meanwhile(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server, chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            server.stop()
            screen.shows("Diego restarts; please come back in a moment. Connecting again …", *AWAY, ">")
            screen.type("meanwhile\r")
            with serving(tmp_path, *STAND_IN, port=server.port):
                screen.shows("> meanwhile", "Connected again.", "meanwhile", ">")
                screen.type("after\r")
                screen.shows("> after", "after", ">")

    def test_it_is_the_same_visitor_after_a_restart_and_in_the_next_run(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server, chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("conversation\r")
            wait_for(lambda: len(screen.lines()) == 4)
            visitor = screen.lines()[2]
            server.stop()
            screen.shows("Diego restarts; please come back in a moment. Connecting again …", *AWAY, ">")
            with serving(tmp_path, *STAND_IN, port=server.port):
                screen.shows("Connected again.", ">")
                screen.type("conversation\r")
                screen.shows("> conversation", visitor, ">")
                with chat(server.url, tmp_path) as next_run:
                    next_run.shows(GREETING, ">")
                    next_run.type("conversation\r")
                    next_run.shows(GREETING, "> conversation", visitor, ">")

    @pytest.mark.anyio
    async def test_what_comes_unasked_is_shown_and_is_not_taken_for_a_reply(self, tmp_path: Path) -> None:
        async def talks(connection: ServerConnection) -> None:
            await connection.send("By the way,\nyou are not alone.")
            await connection.send(f"You said {await connection.recv(decode=True)}.")
            await connection.close(4000, "All is forgotten.")

        def talk_to_it(url: str) -> None:
            with chat(url, tmp_path) as screen:
                unasked = ("By the way,", "you are not alone.")
                wait_for(lambda: {GREETING, *unasked, ">"} <= set(screen.lines()))
                screen.type("Hi\r")
                screen.shows(
                    "> Hi",
                    "You said Hi.",
                    "All is forgotten. Connecting again …",
                    "Connected again.",
                    *unasked,
                    ">",
                )

        async with local_server(talks) as url:
            await asyncio.to_thread(talk_to_it, url)

    @pytest.mark.anyio
    async def test_a_command_that_had_no_reply_is_not_given_again(self, tmp_path: Path) -> None:
        said: list[str] = []

        async def closes(connection: ServerConnection) -> None:
            said.append(await connection.recv(decode=True))
            await connection.close(1011, "Sorry.")

        def talk_to_it(url: str) -> None:
            with chat(url, tmp_path) as screen:
                screen.shows(GREETING, ">")
                screen.type("/unteach 2\r")
                screen.shows("> /unteach 2", "Sorry. Connecting again …", "Connected again.", NO_REPLY, ">")

        async with local_server(closes) as url:
            await asyncio.to_thread(talk_to_it, url)
        assert said == ["/unteach 2"]

    def test_what_a_killed_server_had_not_answered_is_asked_again(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server, chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type("slow 1\r")
            wait_for(lambda: server.count() == 1)
            screen.shows("> slow 1", ">")
            server.kill()
            screen.shows("The connection to Diego was lost. Connecting again …", *AWAY, ">")
            with serving(tmp_path, *STAND_IN, port=server.port):
                screen.shows("Connected again.", "slow 1", ">")

    @pytest.mark.anyio
    async def test_what_a_server_fails_at_again_and_again_is_given_up(self, tmp_path: Path) -> None:
        said: list[str] = []

        async def fails(connection: ServerConnection) -> None:
            said.append(await connection.recv(decode=True))
            if said[-1] != "Hi":
                await connection.close(1011, "Sorry.")
            await connection.send(said[-1])
            await connection.wait_closed()

        def talk_to_it(url: str) -> None:
            with chat(url, tmp_path) as screen:
                screen.shows(GREETING, ">")
                screen.type("xyzzy\r")
                screen.shows(*["Sorry. Connecting again …", "Connected again."] * 3, NO_REPLY, ">")
                screen.type("Hi\r")
                screen.shows(NO_REPLY, "> Hi", "Hi", ">")

        async with local_server(fails) as url:
            await asyncio.to_thread(talk_to_it, url)
        assert said == ["xyzzy"] * 3 + ["Hi"]

    def test_a_key_that_is_not_utf_8_is_no_error(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.press(b"caf\xe9\r")
            wait_for(lambda: screen.lines()[-2:] == ["caf?", ">"])

    def test_a_server_out_of_reach_is_one_sentence_and_status_1(self, tmp_path: Path) -> None:
        with chat("ws://127.0.0.1:1/conversation", tmp_path) as screen:
            assert screen.status() == 1
            assert screen.lines()[0].startswith("Diego cannot be reached at ws://127.0.0.1:1/conversation")

    @pytest.mark.anyio
    async def test_waiting_at_the_prompt_keeps_the_connection(self, tmp_path: Path) -> None:
        """An hour's pings of a server, every 20 s, in a row: each is answered while nobody types."""

        async def insists(connection: ServerConnection) -> None:
            for _ in range(180):
                await asyncio.wait_for(await connection.ping(), timeout=20)
            await connection.send(f"{await connection.recv(decode=True)} after an hour")
            await connection.wait_closed()

        def wait_and_chat(url: str) -> None:
            with chat(url, tmp_path) as screen:
                screen.shows(GREETING, ">")
                screen.type("Hi\r")
                screen.shows("> Hi", "Hi after an hour", ">")

        async with local_server(insists) as url:
            await asyncio.to_thread(wait_and_chat, url)

    @pytest.mark.anyio
    async def test_control_characters_of_a_server_are_shown_escaped(self, tmp_path: Path) -> None:
        async def evil(connection: ServerConnection) -> None:
            await connection.recv()
            await connection.send("\x1b[2Jall\ngone")
            await connection.wait_closed()

        def talk_to_it(url: str) -> None:
            with chat(url, tmp_path) as screen:
                screen.shows(GREETING, ">")
                screen.type("Hi\r")
                screen.shows(GREETING, "> Hi", "\\x1b[2Jall", "gone", ">")

        async with local_server(evil) as url:
            await asyncio.to_thread(talk_to_it, url)


@asynccontextmanager
async def local_server(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """A server of another make."""
    async with serve(handler, "127.0.0.1", 0) as server:
        (listening,) = server.sockets
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/conversation"
