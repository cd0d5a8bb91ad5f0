import asyncio

import pytest

from chatbot.terminal.connecting import Unreachable, conversation_url, reconnect, until_first


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


@pytest.mark.anyio
async def test_the_intervals_grow_and_are_not_the_same_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    connection = object()
    answers = iter([*[Unreachable()] * 8, connection])

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def connect() -> object:
        answer = next(answers)
        if isinstance(answer, Unreachable):
            raise answer
        return answer

    monkeypatch.setattr("chatbot.terminal.connecting.asyncio.sleep", sleep)
    assert await reconnect(connect, losses=1) is connection
    longest = [1, 2, 4, 8, 15, 15, 15, 15, 15]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert waits != longest


@pytest.mark.anyio
class TestUntilFirst:
    async def test_the_others_are_ended(self) -> None:
        ended: list[str] = []

        async def lasts() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("lasts")

        await until_first(lasts(), asyncio.sleep(0))
        assert ended == ["lasts"]

    async def test_what_the_first_raises_is_raised(self) -> None:
        async def fails() -> None:
            raise Unreachable("Diego sleeps.")

        with pytest.raises(Unreachable, match="Diego sleeps."):
            await until_first(asyncio.Event().wait(), fails())
