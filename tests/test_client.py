import asyncio
import errno
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
from websockets.http11 import Request, Response

from chatbot.messages import TOO_LONG
from chatbot.web.commands import NO_LESSONS
from client import (
    HELP,
    Unreachable,
    Visitor,
    conversation_url,
    next_line,
    printable,
    reason_of,
    reconnect,
    replace,
    show_aside,
    visitor_file,
)
from tests.processes import ROOT, STAND_IN, Server, environment, serving, wait_for
from tests.terminals import CTRL_A, CTRL_C, CTRL_D, UP, Terminal, terminal

CLIENT = str(ROOT / "client.py")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clients keep what is to last: not among what whoever runs the tests keeps."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "diego"


def paste(text: str) -> str:
    """What a terminal sends when a person pastes."""
    return f"\x1b[200~{text}\x1b[201~"


class TestPrintable:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Hi\nthere", "Hi\nthere"),
            ("\x1b[2J\x07", "\\x1b[2J\\x07"),
            ("a\tb\rc\x9bd", "a\\tb\\rc\\x9bd"),
            ("\u202eevil\u2066\u2028", "\\u202eevil\\u2066\\u2028"),
            ("👩\u200d👧 é ñ 你好 שלום", "👩\u200d👧 é ñ 你好 שלום"),
        ],
    )
    def test_control_characters_are_escaped_the_rest_is_not(self, text: str, shown: str) -> None:
        assert printable(text) == shown


class TestReconnecting:
    @pytest.mark.anyio
    async def test_the_intervals_grow_and_are_not_the_same_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        connection = object()
        answers = iter([*[Unreachable()] * 8, connection])

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        async def connect(_visitor: Visitor) -> object:
            answer = next(answers)
            if isinstance(answer, Unreachable):
                raise answer
            return answer

        monkeypatch.setattr("client.asyncio.sleep", sleep)
        monkeypatch.setattr(Visitor, "connect", connect)
        assert await reconnect(Visitor("ws://nowhere", None), losses=1) is connection
        longest = [1, 2, 4, 8, 15, 15, 15, 15, 15]
        assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
        assert waits != longest

    def test_why_a_connection_was_closed_is_shown_escaped(self) -> None:
        assert reason_of(ConnectionClosedError(Close(1011, "\x1b[2J"), None)) == "\\x1b[2J"
        assert reason_of(ConnectionClosedError(Close(1011, ""), None)) == "Diego closed the connection (1011)."


class TestConversationUrl:
    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("ws://diego.example:9000/conversation", "ws://diego.example:9000/conversation"),
            ("wss://diego.example/chat/conversation", "wss://diego.example/chat/conversation"),
            ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/conversation"),
            ("https://diego.example/", "wss://diego.example/conversation"),
            ("localhost:8001", "ws://localhost:8001/conversation"),
            ("[::1]:8001", "ws://[::1]:8001/conversation"),
            ("http://diego.example/#chat", "ws://diego.example/conversation"),
        ],
    )
    def test_what_people_type_is_understood(self, address: str, url: str) -> None:
        assert conversation_url(address) == url

    @pytest.mark.parametrize("address", ["ftp://diego.example", "ws://", "", "host:port", "ws://[::1", "ws://a:99999"])
    def test_what_is_no_address_is_refused(self, address: str) -> None:
        with pytest.raises(Unreachable, match="is no address of a Diego; one looks like ws://127.0.0.1:8000/"):
            conversation_url(address)


class Doorkeeper:
    """A server that gives each stranger a cookie, `diego=1` and so on, or the given ones in turn, and counts visits.

    To each line it replies with the cookie that the visitor came with.
    """

    def __init__(self, *given: str) -> None:
        self.given = list(given)
        self.came: list[str] = []

    def greet(self, _connection: ServerConnection, request: Request, response: Response) -> None:
        self.came.append(request.headers.get("Cookie", ""))
        for cookie in [self.given.pop(0)] if self.given else []:
            response.headers["Set-Cookie"] = "balancer=7; Path=/"
            response.headers["Set-Cookie"] = f"{cookie}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"

    async def answer(self, connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send(self.came[-1] or "stranger")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with serve(self.answer, "127.0.0.1", 0, process_response=self.greet) as server:
            (listening,) = server.sockets
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}/conversation"


async def visit(url: str, name: str | None = None) -> Visitor:
    """A run of the client, as far as its visitor goes."""
    visitor = Visitor(url, visitor_file(url, name))
    await (await visitor.connect()).close()
    return visitor


def kept(folder: Path) -> list[tuple[str, int]]:
    """What the files in a folder say, and their modes."""
    return [(file.read_text(), file.stat().st_mode & 0o777) for file in folder.iterdir()]


def file_of(url: str) -> Path:
    file = visitor_file(url, None)
    assert file is not None
    return file


def no_file(url: str) -> None:
    """Put something where the cookie is to be kept."""
    (file_of(url) / "in the way").mkdir(parents=True)


def no_folder(url: str) -> None:
    """Put something where the folder is to be."""
    folder = file_of(url).parent
    folder.rmdir()
    folder.write_text("in the way")


@pytest.mark.anyio
class TestVisitor:
    @pytest.mark.parametrize("cookie", ["diego=ab.c-1_2", "__Host-diego=ab.c-1_2"])
    async def test_the_cookie_that_the_server_set_is_sent_in_the_next_run(self, cookie: str) -> None:
        door = Doorkeeper(cookie)
        async with door.serving() as url:
            await visit(url)
            await visit(url)
        assert door.came == ["", cookie]

    async def test_a_new_one_takes_the_place_of_the_old_one(self) -> None:
        door = Doorkeeper("diego=1", "diego=2")
        async with door.serving() as url:
            await visit(url)
            await visit(url)
            await visit(url)
        assert door.came == ["", "diego=1", "diego=2"]

    async def test_only_the_owner_may_read_it_and_nothing_else_is_left_behind(self, state: Path) -> None:
        async with Doorkeeper("diego=1").serving() as url:
            await visit(url)
        assert kept(state) == [("diego=1", 0o600)]

    def test_a_file_that_cannot_be_written_stays_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace(tmp_path / "visitor", "diego=1")

        def fill_the_disk(file: Path, text: str, encoding: str) -> None:
            file.write_bytes(text.encode(encoding)[:3])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_text", fill_the_disk)
        with pytest.raises(OSError, match="No space left"):
            replace(tmp_path / "visitor", "diego=2")
        assert kept(tmp_path) == [("diego=1", 0o600)]

    async def test_names_and_servers_are_kept_apart(self) -> None:
        door, other = Doorkeeper("diego=1", "diego=2"), Doorkeeper()
        async with door.serving() as url, other.serving() as elsewhere:
            await visit(url)
            await visit(url, "anna")
            await visit(url)
            await visit(url, "anna")
            await visit(elsewhere)
        assert door.came == ["", "", "diego=1", "diego=2"]
        assert other.came == [""]

    def test_a_server_is_its_scheme_host_and_port(self) -> None:
        urls = ["ws://a/x", "wss://a/x", "ws://b/x", "ws://a:81/x", "ws://[::1]:81/x", "ws://a-81/x", "ws://a+80:81/x"]
        files = {visitor_file(url, name) for url in urls for name in (None, "81", "anna")}
        assert len(files) == len(urls) * 3
        assert visitor_file("ws://a/x", None) == visitor_file("ws://me:secret@A:80/y?z=1", None)

    async def test_a_removed_cookie_is_not_sent_any_more(self, state: Path) -> None:
        door = Doorkeeper("diego=1", "diego=")
        async with door.serving() as url:
            await visit(url)
            await visit(url)
            assert kept(state) == []
            await visit(url)
        assert door.came == ["", "diego=1", ""]

    async def test_forgetting_makes_a_stranger(self, state: Path) -> None:
        door = Doorkeeper("diego=1")
        async with door.serving() as url:
            visitor = await visit(url)
            visitor.forget()
            assert kept(state) == []
            await visitor.connect()
        assert door.came == ["", ""]

    @pytest.mark.parametrize(
        "content", [b"", b"\xff\x00", b"diego=1\r\nEvil: 1", b"diego=\xc3\xa9", b"other=1", b"x" * 9000]
    )
    async def test_a_damaged_file_is_ignored_and_replaced(self, content: bytes, state: Path) -> None:
        door = Doorkeeper("diego=1")
        async with door.serving() as url:
            file_of(url).write_bytes(content)
            await visit(url)
        assert door.came == [""]
        assert kept(state) == [("diego=1", 0o600)]

    @pytest.mark.parametrize("obstruct", [no_folder, no_file])
    async def test_where_there_can_be_no_file_it_is_kept_in_memory(self, obstruct: Callable[[str], None]) -> None:
        door = Doorkeeper("diego=1", "diego=2", "diego=3")
        async with door.serving() as url:
            obstruct(url)
            visitor = await visit(url)
            await (await visitor.connect()).close()
            visitor.forget()
            await (await visitor.connect()).close()
            await (await visitor.connect()).close()
        assert door.came == ["", "diego=1", "", "diego=3"]

    async def test_a_file_that_can_only_be_read_counts_until_there_is_something_newer(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        door = Doorkeeper("diego=1", "diego=2")

        def refuse(*_arguments: object, **_keywords: object) -> None:
            raise PermissionError

        async with door.serving() as url:
            file_of(url).write_bytes(b"diego=0")
            monkeypatch.setattr("client.replace", refuse)
            monkeypatch.setattr(Path, "unlink", refuse)
            await (await (await visit(url)).connect()).close()
            visitor = Visitor(url, file_of(url))
            visitor.forget()
            await (await visitor.connect()).close()
        assert door.came == ["diego=0", "diego=1", ""]

    async def test_what_another_client_stored_since_counts(self) -> None:
        door = Doorkeeper("diego=1", "diego=2")
        async with door.serving() as url:
            visitor = await visit(url)
            other = Visitor(url, visitor_file(url, None))
            other.forget()
            await (await other.connect()).close()
            await (await visitor.connect()).close()
        assert door.came == ["", "", "diego=2"]

    async def test_the_cookie_of_a_server_that_one_was_sent_on_to_is_not_kept(self, state: Path) -> None:
        door = Doorkeeper("diego=1")
        async with door.serving() as url:

            def send_on(connection: ServerConnection, _request: Request) -> Response:
                response = connection.respond(302, "")
                response.headers["Location"] = url
                return response

            async with serve(door.answer, "127.0.0.1", 0, process_request=send_on) as server:
                (listening,) = server.sockets
                await visit(f"ws://127.0.0.1:{listening.getsockname()[1]}/conversation")
        assert door.came == [""]
        assert kept(state) == []


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
        assert done.stderr == b"frame with 20000 bytes exceeds limit of 16384 bytes\n"

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

    @pytest.mark.parametrize("name", ["", "a b", "../x", "é", "x" * 33, "a\n"])
    def test_what_is_no_name_is_refused_with_a_sentence(self, name: str) -> None:
        done = run("--as", name, "--once", "Hi")
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode() == (
            f"{name!a} is no name for --as: use 1 to 32 letters (a-z, A-Z), digits, - and _.\n"
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

    def test_what_the_server_refuses_is_not_said_again(self, server: Server, tmp_path: Path) -> None:
        with chat(server.url, tmp_path) as screen:
            screen.shows(GREETING, ">")
            screen.type(paste("x" * 20_000) + "\r")
            screen.shows(
                "frame with 20000 bytes exceeds limit of 16384 bytes Connecting again …",
                "Connected again.",
                NO_REPLY,
                ">",
            )
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
            screen.shows("Diego restarts; please come back in a moment. Connecting again …", ">")
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
            screen.shows("Diego restarts; please come back in a moment. Connecting again …", ">")
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
            server.process.kill()
            screen.shows("The connection to Diego was lost. Connecting again …", ">")
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
