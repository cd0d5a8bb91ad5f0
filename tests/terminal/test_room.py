import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from chatbot.messages import BLANK, TOO_LONG
from chatbot.terminal.lines import MAX_WAITING_LINES
from chatbot.terminal.room import HELP, login_name
from chatbot.terminal.speaker import Connection, Events
from chatbot.terminal.visitor import Visitor
from tests.nginx import ROOT
from tests.processes import SECONDS, STAND_IN, Server, environment, serving, wait_for
from tests.scale import AWAY
from tests.terminals import CTRL_D, UP, Terminal, terminal

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("state")]

COMMAND = (sys.executable, str(ROOT / "client.py"), "--room")
HINT = "@diego asks Diego, /help helps, Ctrl-D leaves."


def attending(url: str, state: Path, name: str, columns: int = 100) -> AbstractContextManager[Terminal]:
    """The client in a terminal, of a person with a state of their own."""
    return terminal([*COMMAND, "--as", name, url], environment(XDG_STATE_HOME=str(state)), columns)


@contextmanager
def two(server: Server, folder: Path) -> Iterator[tuple[Terminal, Terminal]]:
    """Ana and Ben, who are in the room."""
    with attending(server.url, folder / "ana", "Ana") as ana, attending(server.url, folder / "ben", "Ben") as ben:
        wait_for(lambda: HINT in ana.text() and HINT in ben.text() and "has joined" in ana.text() + ben.text())
        yield ana, ben


def piped(url: str, said: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments, url],
        input=said,
        capture_output=True,
        env=environment(**variables),
        timeout=120,
        check=False,
        text=True,
    )


def after(screen: Terminal, line: str) -> list[str]:
    """What stands on the screen after that line."""
    lines = screen.lines()
    return lines[lines.index(line) + 1 :] if line in lines else []


class TestTerminal:
    def test_what_one_says_both_read_once(self, server: Server, tmp_path: Path) -> None:
        with two(server, tmp_path) as (ana, ben):
            ana.type("Hello Ben!\r")
            ben.shows("Ana: Hello Ben!", ">")
            ben.type("Hello Ana!\r")
            for screen in (ana, ben):
                screen.shows("Ana: Hello Ben!", "Ben: Hello Ana!", ">")
            assert "> Hello Ben!" not in ana.lines()

    def test_who_comes_and_goes_is_told(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path / "ana", "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            with attending(server.url, tmp_path / "ben", "Ben") as ben:
                ben.shows(f"Here: Diego, Ana, Ben (you). {HINT}", ">")
                ana.shows("* Ben has joined", ">")
                ana.type("/people\r")
                ana.shows("Here: Diego, Ana (you), Ben.", ">")
                ben.type(CTRL_D)
                assert ben.status() == 0
                ben.shows("Goodbye!")
            ana.shows("* Ben has left", ">")
            ana.type("/quit\r")
            assert ana.status() == 0

    def test_diego_answers_who_mentions_him_and_types_meanwhile(self, server: Server, tmp_path: Path) -> None:
        with two(server, tmp_path) as (ana, ben):
            ana.type("@Diego slow 2\r")
            for screen in (ana, ben):
                screen.shows("Ana: @Diego slow 2", ">", "Diego is typing …")
            for screen in (ana, ben):
                screen.shows("Ana: @Diego slow 2", "Diego → Ana: slow 2", ">")

    def test_who_types_is_shown_to_the_others(self, server: Server, tmp_path: Path) -> None:
        with two(server, tmp_path) as (ana, ben):
            ana.type("half a li")
            ben.shows(">", "Ana is typing …")
            ana.type("ne\r")
            ben.shows("Ana: half a line", ">")

    @pytest.mark.anyio
    async def test_typing_a_command_is_not_told(self, server: Server, tmp_path: Path) -> None:
        def type_a_command() -> None:
            with attending(server.url, tmp_path, "Ana") as ana:
                ana.shows(f"Here: Diego, Kim, Ana (you). {HINT}", ">")
                ana.type("/people\r")
                ana.shows("Here: Diego, Kim, Ana (you).", ">")
                ana.type(CTRL_D)
                assert ana.status() == 0

        events = Events()
        connection = Connection(Visitor(server.url, None), events)
        await connection.open("Kim")
        await asyncio.to_thread(type_a_command)
        names = [(await asyncio.wait_for(events.get(), SECONDS))[0] for _ in range(4)]
        assert names == ["welcome", "history", "joined", "left"]
        await connection.close()

    def test_typing_is_no_longer_shown_after_a_while(self, server: Server, tmp_path: Path) -> None:
        with two(server, tmp_path) as (ana, ben):
            ana.type("never finished")
            ben.shows(">", "Ana is typing …")
            ben.shows(">")

    def test_long_messages_hang_below_their_first_line(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Cleo", columns=24) as screen:
            screen.shows("Here: Diego, Cleo (you).", "  @diego asks Diego,", "  /help helps, Ctrl-D", "  leaves.", ">")
            screen.type("An extraordinarily long message\r")
            screen.shows("Cleo: An extraordinarily", "  long message", ">")

    def test_who_comes_reads_the_last_20_messages(self, server: Server, tmp_path: Path) -> None:
        for name in ("Dora", "Elsa"):
            said = "".join(f"{number}\n" for number in range(1, 16))
            assert piped(server.url, said, "--as", name).returncode == 0
        with attending(server.url, tmp_path / "ana", "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            assert ana.lines()[:-2] == [
                *(f"Dora: {number}" for number in range(11, 16)),
                *(f"Elsa: {number}" for number in range(1, 16)),
            ]

    def test_control_characters_are_shown_escaped_also_in_names(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            assert piped(server.url, "\u202egnp.exe \u2028 Ana: I agree", "--as", "E\u2066ve").returncode == 0
            ana.shows(
                "* E\\u2066ve has joined",
                "E\\u2066ve: \\u202egnp.exe \\u2028 Ana: I agree",
                "* E\\u2066ve has left",
                ">",
            )

    def test_help_and_what_is_no_command(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            ana.type("/help\r")
            ana.shows(*HELP.splitlines(), ">")
            ana.type("/poeple all\r")
            ana.shows("There is no command /poeple in the room. /help shows those that there are.", ">")
            ana.type("1/2 and / are none\r")
            ana.shows("Ana: 1/2 and / are none", ">")

    def test_what_is_refused_is_told_and_earlier_lines_come_back(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            ana.type(f"\x1b[200~{'x' * 1001}\x1b[201~\r")
            ana.shows(TOO_LONG, ">")
            ana.type("Hi\r")
            ana.shows("Ana: Hi", ">")
            ana.type(UP)
            ana.shows("> Hi")

    def test_a_name_in_use_is_one_sentence_and_status_1(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path / "ana", "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            with attending(server.url, tmp_path / "other", "ANA") as other:
                assert other.status() == 1
                (line,) = other.lines()
                assert line.endswith("Choose another one. (python client.py --room --as NAME)")

    def test_the_same_person_in_a_second_terminal_is_there_once(self, server: Server, tmp_path: Path) -> None:
        with two(server, tmp_path) as (ana, ben):
            with attending(server.url, tmp_path / "ana", "Ana") as again:
                wait_for(lambda: HINT in again.text())
                again.type("me again\r")
                for screen in (ana, ben, again):
                    screen.shows("Ana: me again", ">")
                again.type(CTRL_D)
                assert again.status() == 0
            ana.type("still here\r")
            ben.shows("Ana: me again", "Ana: still here", ">")

    def test_a_server_out_of_reach_is_one_sentence_and_status_1(self, tmp_path: Path) -> None:
        with attending("ws://127.0.0.1:1/conversation", tmp_path, "Ana") as ana:
            assert ana.status() == 1
            assert ana.lines()[0].startswith("Diego cannot be reached at ws://127.0.0.1:1/conversation (Connection")


class TestRestart:
    def test_what_was_said_meanwhile_is_read_once_and_in_order(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server, two(server, tmp_path) as (ana, ben):
            ana.type("before\r")
            ben.shows("Ana: before", ">")
            server.stop()
            away = ("Diego restarts; please come back in a moment. Connecting again …", *AWAY)
            for screen in (ana, ben):
                screen.shows("Ana: before", *away, ">", "Not connected. Lines that wait to be said: 0")
            for number in range(1, 6):
                ana.type(f"meanwhile {number}\r")
            ana.shows(*away, ">", "Not connected. Lines that wait to be said: 5")
            with serving(tmp_path, *STAND_IN, port=server.port):
                said = [f"Ana: meanwhile {number}" for number in range(1, 6)]
                for screen in (ana, ben):
                    wait_for(lambda: said[-1] in screen.lines())  # noqa: B023 - it is called here
                    shown = [line for line in after(screen, away[-1]) if "has joined" not in line]
                    assert shown == ["Connected again.", *said, ">"]

    def test_who_leaves_before_it_is_said_is_told_so(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server, attending(server.url, tmp_path, "Ana") as ana:
            wait_for(lambda: HINT in ana.text())
            server.stop()
            wait_for(lambda: "Connecting again" in ana.text())
            ana.type("too late\r" * (MAX_WAITING_LINES + 1))
            ana.shows(
                "So much is still to be said; this is one too many.",
                ">",
                "Not connected. Lines that wait to be said: 100",
            )
            ana.type(CTRL_D)
            assert ana.status() == 1
            assert ana.lines()[-1] == "What you typed last was not said: there is no connection to the room."

    def test_who_leaves_at_once_has_said_it(self, server: Server, tmp_path: Path) -> None:
        with two(server, tmp_path) as (ana, ben):
            ana.type(f"Goodbye all\r{CTRL_D}")
            assert ana.status() == 0
            ben.shows("Ana: Goodbye all", "* Ana has left", ">")


@asynccontextmanager
async def losing_the_acknowledgement(server: Server) -> AsyncIterator[str]:
    """The same server behind a proxy that cuts the first connection where a message is acknowledged."""
    cut = 0

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal cut
        while data := await reader.read(65536):
            if not cut and b'[{"number":' in data:
                cut += 1
                data = data[: data.index(b'[{"number":')]
                writer.write(data)
                break
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer), return_exceptions=True)

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as proxy:
        yield f"ws://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/conversation"
        assert cut == 1


@pytest.mark.anyio
async def test_what_was_said_but_not_acknowledged_is_not_said_twice(own_server: Server, tmp_path: Path) -> None:
    def talk(url: str) -> None:
        with attending(url, tmp_path, "Ana") as ana:
            wait_for(lambda: HINT in ana.text())
            ana.type("once\rtwice\r")
            wait_for(lambda: "Ana: twice" in ana.lines())
            said = [line for line in ana.lines() if line.startswith("Ana: ")]
            assert (said, "Connected again." in ana.lines()) == (["Ana: once", "Ana: twice"], True)

    async with losing_the_acknowledgement(own_server) as url:
        await asyncio.to_thread(talk, url)


class TestPipe:
    def test_each_line_is_said_and_nothing_printed(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            done = piped(server.url, "one\n\n /help \nüber\nno line break", "--as", "Ana María")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            said = [f"Ana María: {text}" for text in ("one", "/help", "über", "no line break")]
            ana.shows("* Ana María has joined", *said, "* Ana María has left", ">")

    def test_what_is_refused_is_told_and_the_rest_is_said(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            done = piped(server.url, f"one\n{'x' * 1001}\n\u200b\ntwo\n", "--as", "Finn")
            assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{TOO_LONG}\n{BLANK}\n")
            ana.shows("Finn: one", "Finn: two", "* Finn has left", ">")

    def test_without_a_name_it_is_that_of_the_login(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            assert piped(server.url, "Hi\n", LOGNAME="gerda").returncode == 0
            ana.shows("gerda: Hi", "* gerda has left", ">")
            assert piped(server.url, "Hi\n", LOGNAME="\x07").returncode == 0
            ana.shows("Guest 1: Hi", "* Guest 1 has left", ">")

    def test_the_visitor_is_that_of_the_chat(self, server: Server, state: Path) -> None:
        assert piped(server.url, "Hi\n", "--as", "Hugo").returncode == 0
        (cookie,) = state.iterdir()
        visitor = cookie.read_text().removeprefix("diego=").partition(".")[0]
        command = [sys.executable, str(ROOT / "client.py"), "--as", "Hugo", "--once", "conversation", server.url]
        assert subprocess.check_output(command, env=environment(), text=True).strip() == visitor

    def test_ctrl_c_ends_it_while_it_waits_for_input(self, server: Server, tmp_path: Path) -> None:
        with attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            with subprocess.Popen(
                [*COMMAND, "--as", "Ida", server.url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
            ) as process:
                ana.shows("* Ida has joined", ">")
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 130
                assert process.stderr is not None
                assert process.stderr.read() == b""

    def test_a_restart_is_waited_for(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server, attending(server.url, tmp_path, "Ana") as ana:
            ana.shows(f"Here: Diego, Ana (you). {HINT}", ">")
            command = [*COMMAND, "--as", "Jo", server.url]
            with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment()) as process:
                ana.shows("* Jo has joined", ">")
                server.stop()
                assert process.stdin is not None
                process.stdin.write(b"one\ntwo\n")
                process.stdin.close()
                with serving(tmp_path, *STAND_IN, port=server.port):
                    assert process.wait(60) == 0
                    wait_for(lambda: ana.lines().count("Jo: one") == ana.lines().count("Jo: two") == 1)

    def test_it_is_not_for_one_reply(self) -> None:
        done = piped("ws://127.0.0.1:1", "", "--once", "Hi")
        assert (done.returncode, done.stdout) == (2, "")
        assert "not allowed with argument" in done.stderr


@pytest.mark.parametrize(
    ("login", "name"), [("carla", "carla"), ("x" * 40, "x" * 32), ("  Ana \t María ", "Ana María"), ("\x1b", "")]
)
def test_the_name_of_the_login_is_made_one_for_the_room(login: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", login)
    assert login_name() == name


def test_the_chat_does_not_wait_for_what_only_the_room_needs() -> None:
    code = "import sys, client; print({'socketio', 'aiohttp', 'pydantic'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], env=environment(), text=True) == "set()\n"
