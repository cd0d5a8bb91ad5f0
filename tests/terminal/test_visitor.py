from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from chatbot.terminal.visitor import Visitor, read_name, visitor_file
from tests.terminals import kept

pytestmark = pytest.mark.usefixtures("state")


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


async def visit(url: str, name: str = "") -> Visitor:
    """A run of the client, as far as its visitor goes."""
    visitor = Visitor(url, visitor_file(url, name))
    await (await visitor.connect()).close()
    return visitor


def file_of(url: str) -> Path:
    file = visitor_file(url, "")
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
        files = {visitor_file(url, name) for url in urls for name in ("", "81", "anna")}
        assert len(files) == len(urls) * 3
        assert visitor_file("ws://a/x", "") == visitor_file("ws://me:secret@A:80/y?z=1", "")

    @pytest.mark.parametrize("name", ["é", "Ana María", "../x", "😀" * 32, "."])
    async def test_whoever_has_a_name_of_other_letters_is_known_again_too(self, name: str, state: Path) -> None:
        door = Doorkeeper("diego=1", "diego=1", "diego=2", "diego=3")
        async with door.serving() as url:
            for visitor in (name, name, f"{name}x"[-32:], "e"):
                await visit(url, visitor)
        assert door.came == ["", "diego=1", "", ""]
        assert len(kept(state)) == 3

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
            monkeypatch.setattr("chatbot.terminal.visitor.replace", refuse)
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
            other = Visitor(url, visitor_file(url, ""))
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


class TestReadName:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("  Ana \n María ", "Ana María"),
            ("Jose\u0301", "José"),
            ("x" * 32, "x" * 32),
            ("👩\u200d👧", "👩\u200d👧"),
            ("x" * 33, ""),
            (" ", ""),
            ("a\x1b[2J", ""),
            ("caf\udce9", ""),
        ],
    )
    def test_a_name_has_1_to_32_characters_without_controls(self, text: str, name: str) -> None:
        assert read_name(text) == name
