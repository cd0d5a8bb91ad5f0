import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from chatbot.messages import BLANK
from chatbot.terminal import speaker
from chatbot.terminal.connecting import DENIALS, LATER, Refused, Unreachable, conversation_url
from chatbot.terminal.speaker import LASTING_SECONDS, TYPING_SECONDS, Connection, Events, Speaker
from chatbot.terminal.visitor import Visitor
from chatbot.terminal.wire import Acknowledgement
from tests.processes import SECONDS, Server

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("state")]

Connect = Callable[[], Awaitable[Connection]]
Tell = Callable[[str], Awaitable[None]]

OPEN = '0{"sid":"x","upgrades":[],"pingTimeout":20000,"pingInterval":20000,"maxPayload":1000}'
CONNECTED = '40{"sid":"y"}'


@asynccontextmanager
async def connected(url: str, name: str, events: Events) -> AsyncIterator[Connection]:
    connection = Connection(Visitor(url, None), events)
    await connection.open(name)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def sending(*frames: str | bytes) -> AsyncIterator[str]:
    """A server of another make, which sends this to each client."""

    async def send(client: ServerConnection) -> None:
        for frame in frames:
            await client.send(frame)
        await client.wait_closed()

    async with serve(send, "127.0.0.1", 0) as server:
        (listening,) = server.sockets
        yield conversation_url(f"127.0.0.1:{listening.getsockname()[1]}")


async def next_event(events: Events, name: str) -> object:
    """The data of the next event of that name."""
    while (event := await asyncio.wait_for(events.get(), SECONDS))[0] != name:
        pass
    return event[1]


@pytest.mark.server
class TestConnection:
    async def test_the_visitor_of_the_last_run_comes_again_and_a_stranger_is_made_one(
        self, server: Server, tmp_path: Path
    ) -> None:
        cookies = []
        for _ in range(2):
            visitor = Visitor(server.url, tmp_path / "visitor")
            connection = Connection(visitor, Events())
            await connection.open("Vera")
            await connection.close()
            cookies.append(visitor.cookie())
        assert len({cookie.partition(".")[0] for cookie in cookies}) == 1
        assert cookies[0].startswith("diego=")

    async def test_what_is_said_is_acknowledged_and_told_to_who_said_it_too(self, server: Server) -> None:
        events = Events()
        async with connected(server.url, "Sam", events) as connection:
            answer = await connection.say({"text": "Hi", "id": "a1"})
            assert answer == await connection.say({"text": "Hi", "id": "a1"})
            message = await next_event(events, "response")
            assert isinstance(message, dict)
            assert (message["number"], message["name"], message["text"]) == (answer.number, "Sam", "Hi")
            assert events.empty()

    async def test_what_is_refused_is_told_once(self, server: Server) -> None:
        events = Events()
        async with connected(server.url, "Rita", events) as connection:
            assert (await connection.say({"text": " ", "id": "a1"})).error == BLANK
            await connection.say({"text": "Hi", "id": "a2"})
            await next_event(events, "history")
            assert [(await events.get())[0] for _ in range(events.qsize())] == ["response"]

    async def test_a_name_in_use_is_a_refusal_and_says_what_to_do(self, server: Server) -> None:
        async with connected(server.url, "Uma", Events()):
            with pytest.raises(Refused, match=r"The name uma is taken .+ \(python client.py --room --as NAME\)"):
                await Connection(Visitor(server.url, None), Events()).open("uma")

    async def test_a_connection_whose_events_nobody_takes_ends(self, server: Server) -> None:
        async with connected(server.url, "Otto", Events(1)) as connection:
            await asyncio.wait_for(connection.ended(), SECONDS)

    async def test_a_path_beside_the_conversation_is_part_of_where_the_room_is(self, server: Server) -> None:
        with pytest.raises(Unreachable, match="HTTP 404"):
            await Connection(Visitor(f"ws://{server.address}/chat/conversation", None), Events()).open("Pia")
        async with connected(f"ws://{server.address}/anywhere", "Pia", Events()):
            pass


class TestOddServers:
    @pytest.mark.parametrize("frames", [["hello"], ["2"], ["0{}"], ["0[]"], [b"\x00"]])
    async def test_what_is_no_room_is_a_sentence(self, frames: list[str | bytes]) -> None:
        async with sending(*frames) as url:
            with pytest.raises(Unreachable, match=r"Diego cannot be reached at ws:\S+ \((what answers|no OPEN)"):
                await Connection(Visitor(url, None), Events()).open("Ana")

    async def test_one_that_says_nothing_is_not_waited_for_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(speaker, "CONNECT_SECONDS", 0.2)
        for frames in ([], [OPEN]):
            async with sending(*frames) as url:
                with pytest.raises(Unreachable, match="no answer within|Unexpected connection error"):
                    await Connection(Visitor(url, None), Events()).open("Ana")

    async def test_one_may_give_up_while_connecting(self, caplog: pytest.LogCaptureFixture) -> None:
        async with sending() as url:
            opening = asyncio.create_task(Connection(Visitor(url, None), Events()).open("Ana"))
            await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait({opening})
        del opening
        gc.collect()
        assert [record.message for record in caplog.records if record.name == "asyncio"] == []

    @pytest.mark.parametrize("frame", ["42{}", "49", "42[", '43["x"]', "451-[]"])
    async def test_what_is_not_socket_io_ends_the_connection_and_nothing_else(
        self, frame: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with sending(OPEN, CONNECTED, frame, b"\x00") as url, connected(url, "Ana", Events()) as connection:
            await asyncio.wait_for(connection.ended(), SECONDS)
        assert [record.message for record in caplog.records if record.name == "asyncio"] == []

    async def test_a_refusal_is_shown_escaped(self) -> None:
        async with sending(OPEN, '44{"message":"\\u001b[2J"}') as url:
            with pytest.raises(Refused, match=r"\\x1b\[2J \(python"):
                await Connection(Visitor(url, None), Events()).open("Ana")

    @pytest.mark.parametrize("status", DENIALS)
    async def test_what_a_server_says_that_refuses_the_connection_is_told(self, status: int) -> None:
        def refuse(connection: ServerConnection, _request: Request) -> Response:
            response = connection.respond(status, '{"error": "Not now."}')
            response.headers["Retry-After"] = "7"
            return response

        async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
            (listening,) = server.sockets
            url = conversation_url(f"127.0.0.1:{listening.getsockname()[1]}")
            for connect in (lambda: Connection(Visitor(url, None), Events()).open("Ana"), Visitor(url, None).connect):
                with pytest.raises(Refused, match="^Not now.$") as refused:
                    await connect()
                assert refused.value.seconds == 7


async def never(_client: ServerConnection) -> None:
    raise AssertionError("nobody comes in")


class Line:
    """In the place of a connection: it is lost when the test says so."""

    def __init__(self) -> None:
        self.said: list[dict[str, str]] = []
        self.typing = 0
        self.answers: asyncio.Queue[Acknowledgement] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.closed = asyncio.Event()
        self.something = asyncio.Event()

    async def open(self, _name: str) -> None:
        pass

    async def say(self, said: dict[str, str]) -> Acknowledgement:
        self.said.append(said)
        self.something.set()
        return await self.answers.get()

    async def tell_typing(self) -> None:
        self.typing += 1
        self.something.set()

    async def ended(self) -> None:
        await self.lost.wait()

    async def close(self) -> None:
        self.closed.set()


class Talk:
    """A speaker whose connections are lines, each in the list from when it is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()
        self.events = Events()
        self.connections: list[Line] = []
        self.losses: list[int] = []
        self.now = 0.0
        self.refusals: list[str] = []
        self.came = asyncio.Event()
        monkeypatch.setattr(speaker, "Connection", lambda *_: self.make())
        monkeypatch.setattr(speaker, "reconnect", self.reconnect)
        monkeypatch.setattr("chatbot.terminal.speaker.time", SimpleNamespace(monotonic=lambda: self.now))
        self.speaker = Speaker(Visitor("ws://nowhere/conversation", None), "Ana", self.lines, self.events)

    def make(self) -> Line:
        self.connections.append(Line())
        self.came.set()
        return self.connections[-1]

    async def reconnect(self, connect: Connect, losses: int, _tell: Tell) -> Connection:
        self.losses.append(losses)
        return await connect()

    async def lose(self) -> None:
        """Lose the connection, and wait for the next one."""
        self.came.clear()
        self.connections[-1].lost.set()
        await self.came.wait()

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator["asyncio.Task[None]"]:
        async with asyncio.timeout(SECONDS):
            speaking = asyncio.create_task(self.speaker.speak(await self.speaker.connect()))
            yield speaking
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            assert all(line.closed.is_set() for line in self.connections)


@pytest.fixture
async def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    return Talk(monkeypatch)


class TestSpeaker:
    async def test_one_line_is_said_after_the_other_is_acknowledged(self, talk: Talk) -> None:
        for text in ("one", "two", None):
            talk.lines.put_nowait(text)
        async with talk.speaking() as speaking:
            (line,) = talk.connections
            await line.something.wait()
            assert (talk.speaker.waiting, [said["text"] for said in line.said]) == (3, ["one"])
            for number in (1, 2):
                line.answers.put_nowait(Acknowledgement(number=number))
            await speaking
            assert [said["text"] for said in line.said] == ["one", "two"]
            assert len({said["id"] for said in line.said}) == 2
            assert talk.speaker.waiting == 0

    async def test_what_was_not_acknowledged_is_said_again_with_its_id(self, talk: Talk) -> None:
        talk.lines.put_nowait("one")
        async with talk.speaking():
            await talk.connections[0].something.wait()
            talk.lines.put_nowait("two")
            await talk.lose()
            assert talk.events.get_nowait() == ("lost", None)
            await talk.connections[1].something.wait()
            assert talk.connections[1].said == talk.connections[0].said
            assert talk.speaker.waiting == 2

    async def test_it_is_finished_when_what_came_is_taken(self, talk: Talk) -> None:
        for text in ("one", None):
            talk.lines.put_nowait(text)
        async with talk.speaking() as speaking:
            talk.connections[0].answers.put_nowait(Acknowledgement(error="No."))
            assert await talk.events.get() == ("refused", {"text": "No."})
            await talk.connections[0].closed.wait()
            assert not speaking.done()
            talk.events.task_done()
            await speaking

    async def test_what_there_is_no_time_for_is_said_again_before_what_follows_and_told_once(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []

        async def wait(seconds: float) -> None:
            waits.append(seconds)

        monkeypatch.setattr(speaker, "wait_as_told", wait)
        for text in ("one", "two", None):
            talk.lines.put_nowait(text)
        busy, done = Acknowledgement(error="Busy.", retry_after=2.5), Acknowledgement(number=1)
        async with talk.speaking() as speaking:
            for answer in (busy, busy, done, busy, done):
                talk.connections[0].answers.put_nowait(answer)
            assert await talk.events.get() == ("later", {"text": LATER})
            talk.events.task_done()
            await speaking
            one, again, and_again, two, two_again = talk.connections[0].said
        assert one == again == and_again
        assert two == two_again
        assert (one["text"], two["text"], waits) == ("one", "two", [2.5] * 3)
        assert talk.events.empty()

    async def test_bytes_that_are_not_utf_8_are_replaced(self, talk: Talk) -> None:
        talk.lines.put_nowait("caf\udce9")
        async with talk.speaking():
            await talk.connections[0].something.wait()
            assert talk.connections[0].said[0]["text"] == "caf?"

    async def test_losses_add_up_until_a_connection_lasts(self, talk: Talk) -> None:
        async with talk.speaking():
            for seconds in (1, 1, LASTING_SECONDS, 1):
                talk.now += seconds
                await talk.lose()
        assert talk.losses == [1, 2, 0, 1]

    async def test_why_one_cannot_come_back_is_told(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        async def reconnect(connect: Connect, losses: int, tell: Tell) -> Connection:
            await tell("Taken.")
            return await talk.reconnect(connect, losses, tell)

        monkeypatch.setattr(speaker, "reconnect", reconnect)
        async with talk.speaking():
            talk.connections[0].lost.set()
            told = [await talk.events.get() for _ in range(2)]
        assert told == [("lost", None), ("unwelcome", {"text": "Taken."})]

    async def test_that_something_is_typed_is_told_at_intervals(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        intervals: asyncio.Queue[float] = asyncio.Queue()
        over = asyncio.Event()

        async def sleep(seconds: float) -> None:
            intervals.put_nowait(seconds)
            await over.wait()

        talk.lines.put_nowait("one")
        async with talk.speaking():
            monkeypatch.setattr("chatbot.terminal.speaker.asyncio.sleep", sleep)
            (line,) = talk.connections
            await line.something.wait()
            talk.speaker.typing.set()
            assert await intervals.get() == TYPING_SECONDS
            talk.speaker.typing.set()  # and then it is said
            over.set()
            line.something.clear()
            talk.lines.put_nowait("two")
            line.answers.put_nowait(Acknowledgement(number=1))
            await line.something.wait()
            assert (line.said[-1]["text"], line.typing) == ("two", 1)
