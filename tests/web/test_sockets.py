import asyncio
import gc
import json
import random
import socket
import struct
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import engineio.async_drivers.asgi
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as some
from socketio.packet import ACK, CONNECT, DISCONNECT, EVENT
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from chatbot.settings import Settings
from chatbot.web.door import Rules
from chatbot.web.places import Connections
from chatbot.web.room import AGAIN
from chatbot.web.sockets import (
    NO_ENGINE_IO,
    NO_PAYLOAD,
    NO_SESSION,
    PING_SECONDS,
    RESTARTS,
    Channel,
    ClientPacket,
    Sockets,
    event_packet,
    readable_payload,
)
from tests.processes import SECONDS, Server
from tests.rooms import HANDSHAKE, PATH, raw_guest
from tests.tabs import frame

POLLING = f"{PATH}/?EIO=4&transport=polling"
WEB_SOCKET = f"{PATH}/?EIO=4&transport=websocket"
NESTED = "[" * 8000 + "]" * 8000

FRAMES: list[str | bytes] = [
    *(
        "",
        "x",
        "0",
        "1",
        "2",
        "2probe",
        "3",
        "3probe",
        "4",
        "5",
        "6",
        "7",
        "48",
        "4x",
        "4\x00",
        "4😀",
        "b4",
        "bAAAA",
        "²",
    ),
    *(
        "40",
        "40[]",
        '40{"name": 5}',
        '40"x"',
        "40/foo,",
        "40/foo,{}",
        "41",
        "43[]",
        "431[1]",
        "44",
        "44{}",
        "461-[]",
        "45-",
    ),
    *("42", "42[]", "42{}", "42[[]]", "42[{}]", '42["connect"]', '42["disconnect"]', '42["message"', '42²["message"]'),
    *(
        '42["other", 1]',
        '42/foo,["message","Hi"]',
        '42["message",NaN]',
        '42["message","\\ud800"]',
        '42["typing",1,2,3]',
    ),
    *(f"42{NESTED}", f"4{NESTED}"[:16000], f'42["message",{NESTED[500:-500]}]', f'42["message",{"9" * 5000}]'),
    *(f'42{"9" * 200}["message","Hi"]', '451-["message",{"_placeholder":true,"num":7}]', '459999999999-["message",1]'),
    *(b"abc", b'2["message"]', b"", b"\xff"),
]

SHORT = ["40", '40{"name":"Ana"}', '421["message","Hi"]', '42["typing"]', "41", "2probe", "1"]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ('2["message","Hi"]', EVENT),
        ('27["typing"]', EVENT),
        ('51-["message",{"_placeholder":true,"num":0}]', EVENT),
        ("0", CONNECT),
        ('0{"name":"Ana"}', CONNECT),
        ("1", DISCONNECT),
        ("31[]", ACK),
        ('2["connect"]', ACK),
        ('2["disconnect"]', ACK),
        ('2{"message":1}', ACK),
        ("2", ACK),
        ("61-[]", ACK),
        ("2[", DISCONNECT),
        (f"2{NESTED}", DISCONNECT),
        ('4"error"', DISCONNECT),
    ],
)
def test_what_a_packet_is(written: str, kind: int) -> None:
    assert ClientPacket(encoded_packet=written).packet_type == kind


@given(some.from_regex(r"[0-6][0-9/,?²-]{0,5}[\[{\"]?.{0,20}", fullmatch=True))
def test_every_packet_can_be_read(written: str) -> None:
    packet = ClientPacket(encoded_packet=written)
    assert packet.packet_type in (EVENT, ACK, CONNECT, DISCONNECT)
    assert packet.attachment_count == 0
    if packet.packet_type == EVENT:
        assert packet.data[0] in ("message", "typing")


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b"", b""),
        (b"40", b"40"),
        ('42["message","é"]\x1e3'.encode(), '42["message","é"]\x1e3'.encode()),
        (b"45-x\x1ebAAAA\x1eb%%", b"45-x"),
        (b"1\x1e40", b"1"),
        (b"40\x1e1\x1e40\x1e1", b"40\x1e1"),
    ],
)
def test_what_is_left_of_a_payload(body: bytes, left: bytes) -> None:
    assert readable_payload(body) == left


@pytest.mark.parametrize("body", [b"x", b"\xff", b"2probe", b"5", b"0", b"6", b"48", b"40\x1e", b"3\x1e" * 20 + b"3"])
def test_what_is_no_payload_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException, match=NO_PAYLOAD):
        readable_payload(body)


def test_letters_are_written_as_they_are() -> None:
    assert event_packet("response", {"text": "é😀"}).encode() == '42["response",{"text":"é😀"}]'


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nothing comes")


async def stuck(_message: Message) -> None:
    await asyncio.Event().wait()


@pytest.mark.anyio
async def test_a_connection_that_is_over_does_not_wait_for_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def receive() -> Message:
        return frames.pop(0)

    async def send(_frame: Message) -> None: ...

    class Noted(engineio.async_drivers.asgi.WebSocket):  # type: ignore[misc]
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            gone.append(weakref.ref(self))

    frames: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "40"},
        {"type": "websocket.disconnect", "code": 1000},
    ]
    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": PATH,
        "headers": [(b"connection", b"upgrade"), (b"upgrade", b"websocket")],
        "query_string": b"EIO=4&transport=websocket",
        "subprotocols": [],
    }

    ws = WebSocket(scope, receive, send)
    gone: list[weakref.ref[object]] = [weakref.ref(ws)]
    sockets = Sockets(Rules(Settings()), Connections(Settings()))
    monkeypatch.setitem(sockets.server.eio._async, "websocket", Noted)  # noqa: SLF001 - nothing else tells
    gc.disable()
    try:
        await sockets.web_socket(ws, {"visitor": "v" * 32, "count_asked": lambda: None}, {})
        del ws
        await asyncio.sleep(0)
        assert frames == []
        assert [held() for held in gone] == [None, None]
    finally:
        gc.enable()
        await sockets.close()


@pytest.mark.anyio
async def test_a_channel_ends_although_its_client_says_and_takes_nothing() -> None:
    async def serve() -> tuple[Message, BaseException | None, Message]:
        scope = {"type": "websocket", "path": PATH, "headers": [], "query_string": b"sid=a"}
        channel = Channel(WebSocket(scope, never, stuck), {}, lambda _sid: True)
        receiving = asyncio.create_task(channel.receive())
        sending = asyncio.create_task(channel.send({"type": "websocket.accept"}))
        await asyncio.sleep(0)
        channel.end()
        await asyncio.wait({receiving, sending})
        return receiving.result(), sending.exception(), await channel.receive()

    received, refused, later = await asyncio.create_task(serve())
    assert received == later == {"type": "websocket.disconnect"}
    assert isinstance(refused, WebSocketDisconnect)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "session", "code"), [("40", "open", None), ("40", None, 1000), ("1", "open", 1000), ("x", "open", 1003)]
)
async def test_a_channel_hands_on_packets_of_a_session(text: str, session: str | None, code: int | None) -> None:
    message = {"type": "websocket.receive", "text": text}
    sent: list[Message] = []

    async def say() -> Message:
        return message

    async def note(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": PATH, "headers": [], "query_string": b"sid=a"}
    ws = WebSocket(scope, say, note)
    ws.client_state = ws.application_state = WebSocketState.CONNECTED
    channel = Channel(ws, {}, lambda _sid: session)
    assert await channel.receive() == (message if code is None else {"type": "websocket.disconnect"})
    await channel.send({"type": "websocket.close"})
    assert sent == [{"type": "websocket.close", "code": code or 1000}]


@pytest.mark.anyio
async def test_while_the_server_stops_nobody_comes_in() -> None:
    sockets = Sockets(Rules(Settings()), Connections(Settings()))
    await sockets.drain()
    scope = {"type": "http", "method": "GET", "path": PATH, "headers": [], "query_string": b"EIO=4&transport=polling"}
    with pytest.raises(HTTPException, match=RESTARTS):
        await sockets.polling(Request(scope, never), {}, {}, ExitStack())


@pytest.mark.parametrize("path", ["/sio", "/sio/", "/sio/x", "/sio/socket.io/x"])
def test_there_is_nothing_beside(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()) == (404, {"error": f"There is nothing at {path}."})


@pytest.mark.parametrize(
    ("method", "query", "status", "sentence"),
    [
        ("GET", "", 400, NO_ENGINE_IO),
        ("GET", "?EIO=4&transport=websocket", 400, NO_ENGINE_IO),
        ("GET", "?EIO=4&transport=polling&j=0", 400, NO_ENGINE_IO),
        ("GET", "?EIO=4&transport=polling&sid=unknown", 400, NO_SESSION),
        ("POST", "?EIO=4&transport=polling&sid=unknown", 400, NO_SESSION),
        ("PUT", "?EIO=4&transport=polling", 405, f"{PATH}/ does not take PUT."),
    ],
)
def test_a_request_that_is_none_of_engine_io(
    client: TestClient, method: str, query: str, status: int, sentence: str
) -> None:
    response = client.request(method, f"{PATH}/{query}", headers={"Upgrade": "websocket"})
    assert (response.status_code, response.json()) == (status, {"error": sentence})


def test_the_handshake_sets_the_cookie_which_no_cache_may_keep(client: TestClient) -> None:
    response = client.get(POLLING)
    assert response.headers["set-cookie"].startswith("diego=")
    assert response.headers["cache-control"] == "no-store"
    again = client.get(POLLING)
    assert again.headers["set-cookie"].partition(".")[0] == response.headers["set-cookie"].partition(".")[0]
    assert "set-cookie" not in client.get(f"{POLLING}&EIO=3").headers


@pytest.mark.server
class TestStrangers:
    @pytest.fixture(autouse=True)
    def quiet(self, server: Server) -> Iterator[None]:
        yield
        with raw_guest(server, "Somebody") as after:
            after.send('42["message","Still here"]')
            while "Still here" not in str(after.recv(timeout=SECONDS)):
                pass  # those who have left a moment ago
        assert "Traceback" not in server.log
        assert "ERROR" not in server.log

    @pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: repr(frame[:40]))
    def test_frames_that_nobody_expects(self, server: Server, frame: str | bytes) -> None:
        with connect(f"ws://{server.address}{WEB_SOCKET}") as early, raw_guest(server) as late:
            for ws in (early, late):
                with suppress(ConnectionClosed):
                    for sent in (frame, frame, '420["message",7]', "1"):
                        ws.send(sent)
                    while True:
                        ws.recv(timeout=SECONDS)
                assert ws.close_code in (1000, 1003)

    @pytest.mark.parametrize("frame", [*FRAMES, "1\x1e40", "40\x1e41\x1e40"], ids=lambda frame: repr(frame[:40]))
    def test_payloads_that_nobody_expects(self, server: Server, frame: str | bytes) -> None:
        body = frame.encode() if isinstance(frame, str) else frame
        with httpx2.Client(base_url=f"http://{server.address}", timeout=SECONDS) as client:
            sid = json.loads(client.get(POLLING).text[1:])["sid"]
            for content in (body, body, b"1", body):
                assert client.post(f"{POLLING}&sid={sid}", content=content).status_code in (200, 400)
            assert client.get(f"{POLLING}&sid={sid}").json() == {"error": NO_SESSION}

    def test_a_session_without_a_socket_is_not_one_over_websocket(self, server: Server) -> None:
        for query, status in (("EIO=4&transport=polling", 400), ("EIO=4&transport=websocket&sid=unknown", 403)):
            with pytest.raises(InvalidStatus) as refused, connect(f"ws://{server.address}{PATH}/?{query}"):
                pass
            assert refused.value.response.status_code == status

    def test_who_has_left_comes_back_over_a_new_connection(self, server: Server) -> None:
        with raw_guest(server, "Ana") as raw:
            for packet in ("41", "40"):
                raw.send(packet)
            assert AGAIN in str(raw.recv(timeout=SECONDS))

    def test_nobody_waits_for_what_does_not_come_any_more(self, server: Server) -> None:
        sid = json.loads(server.get(POLLING).text[1:])["sid"]
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=PING_SECONDS / 2)) as polling:
            polling.request("GET", f"{POLLING}&sid={sid}")
            httpx2.post(f"http://{server.address}{POLLING}&sid={sid}", content=b"1").raise_for_status()
            assert polling.getresponse().status == 200

    def test_a_body_that_is_too_large(self, server: Server) -> None:
        with httpx2.Client(base_url=f"http://{server.address}", timeout=SECONDS) as client:
            sid = json.loads(client.get(POLLING).text[1:])["sid"]
            assert client.post(f"{POLLING}&sid={sid}", content=b"4" * 30_000).status_code == 413
            assert client.post(f"{POLLING}&sid={sid}", content=b"40").status_code == 200

    def test_clients_that_leave_in_the_middle(self, server: Server) -> None:
        chance = random.Random(3)
        for _ in range(30):
            with closing(socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)) as client:
                client.sendall(HANDSHAKE)
                client.sendall(b"".join(frame(chance.choice(SHORT)) for _ in range(chance.randrange(6))))
                if chance.random() < 0.5:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it is reset
