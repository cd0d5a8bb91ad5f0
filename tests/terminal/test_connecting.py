import asyncio

import pytest

from chatbot.terminal.connecting import (
    MOST_RETRY_SECONDS,
    Refused,
    Unreachable,
    conversation_url,
    reconnect,
    refused,
    until_first,
)


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
class TestReconnect:
    @pytest.fixture(autouse=True)
    def _no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: list[float] = []
        self.told: list[str] = []
        monkeypatch.setattr("chatbot.terminal.connecting.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def tell(self, sentence: str) -> None:
        self.told.append(sentence)

    async def reconnect(self, *failures: Unreachable, losses: int = 0) -> None:
        connection = object()
        answers = iter([*failures, connection])

        async def connect() -> object:
            answer = next(answers)
            if isinstance(answer, Unreachable):
                raise answer
            return answer

        assert await reconnect(connect, losses, self.tell) is connection

    async def test_the_intervals_grow_and_are_not_the_same_for_all(self) -> None:
        await self.reconnect(*[Unreachable()] * 8, losses=1)
        longest = [1, 2, 4, 8, 15, 15, 15, 15, 15]
        assert all(most / 2 <= wait <= most for wait, most in zip(self.waits, longest, strict=True))
        assert self.waits != longest
        assert self.told == []

    async def test_who_is_refused_comes_again_when_diego_says_and_not_all_at_once(self) -> None:
        await self.reconnect(Refused("Full.", 30), Refused("Full."), Unreachable())
        assert self.waits[0] <= 0.5
        assert 30 < self.waits[1] < 60
        assert all(wait < 15 for wait in self.waits[2:])

    async def test_why_is_told_once(self) -> None:
        await self.reconnect(Refused("Taken."), Refused("Taken."), Unreachable(), Refused("Full."))
        assert self.told == ["Taken.", "Full."]


class TestRefused:
    def test_diegos_sentence_is_told_escaped_and_when_to_come_again(self) -> None:
        refusal = refused(429, {"Retry-After": "10"}, b'{"error": "\\u001b[2J Full."}')
        assert isinstance(refusal, Refused)
        assert (str(refusal), refusal.seconds) == ("\\x1b[2J Full.", 10)

    @pytest.mark.parametrize("after", ["", "-5", "soon", "Sat, 21 Nov 2026 19:00:00 GMT"])
    def test_without_a_number_of_seconds_nothing_is_said_of_when(self, after: str) -> None:
        refusal = refused(403, {"Retry-After": after}, b'{"error": "No."}')
        assert refusal is not None
        assert refusal.seconds == 0

    def test_nobody_waits_for_hours(self) -> None:
        refusal = refused(503, {"Retry-After": "9" * 20}, b'{"error": "No."}')
        assert refusal is not None
        assert refusal.seconds == MOST_RETRY_SECONDS

    @pytest.mark.parametrize(
        ("status", "body"),
        [(404, b'{"error": "No."}'), (403, b""), (403, b"<html>"), (403, b"[]"), (403, b"{}"), (403, b"\xff")],
    )
    def test_what_is_not_diegos_is_none(self, status: int, body: bytes) -> None:
        assert refused(status, {}, body) is None


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
