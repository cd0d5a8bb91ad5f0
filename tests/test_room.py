"""The room of a real server, with real clients: what everybody sees, and what nobody can do to it."""

import asyncio
import json
import random
import re
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from chatbot.bot.room import MOST_KEPT
from chatbot.messages import APOLOGY, BLANK, TOO_FAST, TOO_LONG
from chatbot.web.people import NAME_EXPECTED, NAME_RESERVED, NAME_TAKEN
from chatbot.web.room import (
    FORGOTTEN,
    LEAVING,
    MANY_MENTIONS,
    MOST_MENTIONS,
    MOST_REPLY_CHARACTERS,
    NO_MESSAGE,
)
from chatbot.web.sockets import RESTARTS
from tests.databases import only_sqlite
from tests.processes import SECONDS, STAND_IN, Server, needs, serving, wait_for
from tests.rooms import HANDSHAKE, PATH, Guest, guest, node_guest, raw_guest, refusal
from tests.scale import IS_SCALED
from tests.small import UNKNOWN, answer, operate, serving_small, traces, visitor_of
from tests.tabs import ask, frame, new_cookie, open_plain_tab, open_tab, receive, send

pytestmark = [pytest.mark.server, pytest.mark.anyio]

# Replies may be larger than what the system keeps for who does not read, and few packets may wait.
LARGE_REPLIES = (
    "-c",
    "from chatbot.web import room, sockets; room.MOST_REPLY_CHARACTERS = 10**7; sockets.MOST_WAITING = 8; "
    + STAND_IN[1],
)


@pytest.fixture(autouse=True)
def _quiet(server: Server) -> Iterator[None]:
    yield
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    return [message["number"] for message in messages]


class TestWhatEverybodySees:
    @needs("node")
    async def test_all_see_the_same_in_the_same_order(self, server: Server) -> None:
        async with (
            guest(server, "Ana") as ana,
            guest(server, "Ben", transport="polling") as ben,
            node_guest(server, "Nora") as nora,
        ):
            said = {name: [f"{name} says {number}" for number in range(15)] for name in ("Ana", "Ben", "Nora")}

            async def say_all(one: Guest, texts: list[str]) -> None:
                for text in texts:
                    assert await one.say(text) == {"number": (await one.hears("response", text=text))["number"]}

            for number, text in enumerate(said["Nora"]):
                nora.say(text, str(number))
            await asyncio.gather(say_all(ana, said["Ana"]), say_all(ben, said["Ben"]))
            for one in (ana, ben, nora):
                await one.hears_so_many("response", 45)
        assert ana.all("response") == ben.all("response") == nora.all("response")
        assert numbers(ana.all("response")) == sorted({*numbers(ana.all("response"))})
        for name, texts in said.items():
            assert [message["text"] for message in ana.all("response") if message["name"] == name] == texts

    async def test_a_message_is_told_with_all_that_is_known_of_it(self, server: Server) -> None:
        async with guest(server, "Ana") as ana, guest(server, "Ben") as ben:
            acknowledged = await ana.say({"text": "Hello, everybody", "id": "a1"})
            message = await ben.hears("response", id="a1")
        assert message.pop("said_at") > 1_700_000_000
        assert message == {**acknowledged, "id": "a1", "name": "Ana", "text": "Hello, everybody", "answers": None}

    async def test_who_comes_gets_a_name_who_is_here_and_what_was_said(self, server: Server) -> None:
        async with guest(server) as one, guest(server, "Ana") as ana, guest(server) as other:
            assert one.told[0] == ("welcome", {"name": "Guest 1", "people": ["Diego", "Guest 1"]})
            assert other.told[0] == ("welcome", {"name": "Guest 2", "people": ["Diego", "Guest 1", "Ana", "Guest 2"]})
            assert one.told[1][0] == "history"
            assert await one.hears("joined") == {"name": "Ana"}
            await ana.say("I am here")
            await ana.hears("response")
            async with guest(server, "Ben") as ben:
                assert ben.texts[-1] == "I am here"
                await ana.hears("joined", name="Ben")
            await ana.hears("left", name="Ben")
        assert [name for name, _ in ana.told if name == "joined"] == ["joined"] * 2  # Guest 2 and Ben, not Ana

    async def test_a_guest_gets_the_lowest_number_that_is_free(self, server: Server) -> None:
        async with guest(server) as one:
            async with guest(server) as two:
                assert (two.told[0][1]["name"]) == "Guest 2"
            await one.hears("left", name="Guest 2")
            async with guest(server) as again:
                assert (again.told[0][1]["name"]) == "Guest 2"

    async def test_the_tabs_of_a_visitor_are_one_person(self, server: Server) -> None:
        cookie = new_cookie(server)
        async with guest(server, "Zoe") as zoe:
            async with guest(server, "Ana", cookie) as first:
                async with guest(server, "ANA", cookie) as second, guest(server, None, cookie) as third:
                    assert {tab.told[0][1]["name"] for tab in (first, second, third)} == {"Ana"}
                    assert third.told[0][1]["people"] == ["Diego", "Zoe", "Ana"]
                    await second.say("from the second")
                    await first.hears("response", name="Ana", text="from the second")
                await first.say("still here")
            await zoe.hears("left", name="Ana")
        people = [(event, data["name"]) for event, data in zoe.told if event in ("joined", "left")]
        assert people == [("joined", "Ana"), ("left", "Ana")]

    async def test_who_types_is_shown_to_the_others_now_and_then(self, server: Server) -> None:
        async with guest(server, "Ana") as ana, guest(server, "Ben") as ben:
            for _ in range(5):
                await ana.client.emit("typing")
            await ana.say("That is all")
            await ben.hears("response", text="That is all")
            await ana.hears("response", text="That is all")
        assert ben.all("typing") == [{"name": "Ana"}]
        assert ana.all("typing") == []

    async def test_a_clients_messages_are_said_in_their_order(self, server: Server) -> None:
        with raw_guest(server, "Ana") as raw:
            for number in range(18):
                raw.send(f'42{number}["message",{{"text":"{number}","id":"n{number}"}}]')
            packets = [str(raw.recv(timeout=SECONDS)) for _ in range(36)]
        said = [json.loads(packet[2:])[1] for packet in packets if packet.startswith("42")]
        assert [message["text"] for message in said] == [str(number) for number in range(18)]
        assert numbers(said) == sorted(numbers(said))
        acknowledged = [packet for packet in packets if packet.startswith("43")]
        assert acknowledged == [f'43{place}[{{"number":{number}}}]' for place, number in enumerate(numbers(said))]

    @pytest.mark.parametrize(
        "text", ["<script>alert(1)</script>", "\u202egnirts", "a\u200bb", "{{7*7}}", "'; DROP TABLE room; --", "%s"]
    )
    async def test_names_and_texts_come_back_as_they_were(self, server: Server, text: str) -> None:
        async with guest(server, text[:32]) as ana, guest(server, "Ben") as ben:
            await ana.say(text)
            message = await ben.hears("response", name=text[:32])
            assert message["text"] == text
            assert text[:32] in ben.told[0][1]["people"]


class TestNames:
    async def test_a_name_is_somebody_elses_however_it_is_written(self, server: Server) -> None:
        async with guest(server, "Ana María") as ana:
            assert ana.told[0][1]["name"] == "Ana María"
            for name in (
                "ANA MARÍA",
                "ana  mari\u0301a",
                "Ａna María",
                "Ana\u200b María",
                "A\u202ena\u00a0María\ufe0f",
            ):
                told = await refusal(server, name)
                assert told["message"].endswith("is taken at the moment. Choose another one.")
            assert await refusal(server, "ana maría") == {"message": NAME_TAKEN.format("ana maría")}
        await asyncio.to_thread(wait_for, lambda: server.count() == 0)  # at another process it is known a moment later
        async with guest(server, "ANA MARÍA"):
            pass

    @pytest.mark.parametrize("name", ["Diego", "DIEGO", "di\u200bego", "ｄｉｅｇｏ"])
    async def test_nobody_is_diego(self, server: Server, name: str) -> None:
        assert await refusal(server, name) == {"message": NAME_TAKEN.format(name)}

    @pytest.mark.parametrize("name", ["Guest 7", "guest7", "GUEST  12"])
    async def test_guests_are_named_by_the_server(self, server: Server, name: str) -> None:
        assert await refusal(server, name) == {"message": NAME_RESERVED.format(" ".join(name.split()))}

    async def test_a_guest_who_comes_back_may_have_that_name_again(self, server: Server) -> None:
        cookie = new_cookie(server)
        async with guest(server, None, cookie) as one, guest(server, one.told[0][1]["name"], cookie) as again:
            assert again.told[0] == one.told[0]

    @pytest.mark.parametrize("name", ["", "  \n", "x" * 33, "\u200b", "\u3164", 7, ["Ana"], {"name": "Ana"}, True])
    async def test_what_is_no_name_is_refused(self, server: Server, name: object) -> None:
        assert await refusal(server, name) == {"message": NAME_EXPECTED}


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "sentence"),
        [
            ("", BLANK),
            (" \u200b\n", BLANK),
            ("x" * 1001, TOO_LONG),
            (7, NO_MESSAGE),
            (None, NO_MESSAGE),
            (True, NO_MESSAGE),
            (["Hi"], NO_MESSAGE),
            (b"Hi", NO_MESSAGE),
            ({}, NO_MESSAGE),
            ({"text": 7}, NO_MESSAGE),
            ({"text": b"Hi"}, NO_MESSAGE),
            ({"text": {"text": "Hi"}}, NO_MESSAGE),
            ({"text": "Hi", "id": 7}, 'The "id" of a message must be 1 to 64 visible ASCII characters.'),
            ({"text": "Hi", "id": "x" * 65}, 'The "id" of a message must be 1 to 64 visible ASCII characters.'),
        ],
    )
    @pytest.mark.parametrize("transport", ["websocket", "polling"])
    async def test_what_is_no_message_is_told_with_a_sentence(
        self, server: Server, transport: str, said: object, sentence: str
    ) -> None:
        async with guest(server, "Ana", transport=transport) as ana, guest(server, "Ben") as ben:
            assert await ana.say(said) == {"error": sentence}
            assert ana.all("refused") == [{"text": sentence, "id": None}]
            await ben.say("Next")
            await ben.hears("response", text="Next")
        assert len(ben.all("response")) == 1

    async def test_a_refusal_names_the_message(self, server: Server) -> None:
        async with guest(server, "Ana") as ana:
            assert await ana.say({"text": "", "id": "a1"}) == {"error": BLANK}
            assert ana.all("refused") == [{"text": BLANK, "id": "a1"}]

    async def test_who_says_too_much_in_all_tabs_together_is_told_when_to_go_on(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN, DIEGO_RATE_LIMIT="5") as server:
            cookie = new_cookie(server)
            async with guest(server, "Ana", cookie) as ana, guest(server, "Ana", cookie) as tab, guest(server) as other:
                for one in (ana, tab, ana, tab, ana):
                    assert "number" in await one.say("Hi")
                refused = await tab.say({"text": "One more", "id": "a1"})
                seconds = refused["retry_after"]
                assert 1 <= seconds <= 12
                assert refused["error"] == TOO_FAST.format(seconds)
                told = {"text": refused["error"], "id": "a1", "retry_after": seconds}
                assert await tab.hears("refused") == told
                assert "number" in await other.say("Me, too")


class TestSayingAgain:
    async def test_what_is_sent_twice_is_said_once_also_over_a_new_connection(self, server: Server) -> None:
        cookie = new_cookie(server)
        once = {"text": "Just once", "id": "once"}
        async with guest(server, "Zoe") as zoe:
            async with guest(server, "Ana", cookie) as ana, guest(server, "Ana", cookie) as tab:
                first, second = await asyncio.gather(ana.say(once), tab.say(once))
            async with guest(server, "Ana", cookie) as ana:
                third = await ana.say({**once, "text": "is not looked at"})
                await ana.say("That is all")
            await zoe.hears("response", text="That is all")
        assert first == second == third
        assert [message["text"] for message in zoe.all("response")] == ["Just once", "That is all"]

    async def test_the_id_of_somebody_else_is_nothing_special(self, server: Server) -> None:
        async with guest(server, "Ana") as ana, guest(server, "Ben") as ben:
            one, other = await ana.say({"text": "Hi", "id": "same"}), await ben.say({"text": "Hi", "id": "same"})
        assert one != other


class TestDiego:
    async def test_he_answers_in_turn(self, server: Server) -> None:
        async with guest(server, "Ana") as ana, guest(server, "Ben") as ben:
            asked = [await ana.say("@diego slow 0.2"), await ben.say("Hey @Diego, are you there?"), await ana.say("Hm")]
            await ana.hears_so_many("response", 5)
            await ben.hears_so_many("response", 5)
            await ana.until(lambda: ana.told.count(("typing", {"name": "Diego"})) == 2)
        assert ana.all("response") == ben.all("response")
        replies = [message for message in ana.all("response") if message["name"] == "Diego"]
        if IS_SCALED:  # who asks at another process may be answered sooner
            replies.sort(key=itemgetter("answers"))
        assert [reply["text"] for reply in replies] == ["slow 0.2", "Hey are you there?"]
        assert [reply["answers"] for reply in replies] == [one["number"] for one in asked[:2]]

    @pytest.mark.parametrize(
        ("asked", "reply"),
        [
            ("@diego fail", APOLOGY),
            ("@diego exit", APOLOGY),
            ("@diego", BLANK),
            ("@diego long 100000", "x" * MOST_REPLY_CHARACTERS + " …"),
            ("@diego conversation", "room"),
        ],
    )
    async def test_he_always_has_a_reply(self, own_server: Server, asked: str, reply: str) -> None:
        async with guest(own_server) as one:
            await one.say(asked)
            assert (await one.hears("response", name="Diego"))["text"] == reply

    async def test_no_more_may_ask_than_can_wait(self, own_server: Server) -> None:
        async with guest(own_server, "Ana") as ana:
            await ana.say("@diego slow 60")
            await ana.hears("typing", name="Diego")
            for number in range(MOST_MENTIONS):
                assert "number" in await ana.say(f"@diego {number}")
            refused = await ana.say("@diego and this?")
            assert re.fullmatch(MANY_MENTIONS.format("[123]"), refused["error"])
            assert 1 <= refused["retry_after"] <= 3
            assert "number" in await ana.say("This is for all")


class TestOrigins:
    OTHER = "https://example.org"

    def statuses(self, server: Server, origin: str) -> tuple[int, int]:
        query = "EIO=4&transport="
        polled = server.get(f"{PATH}/?{query}polling", Origin=origin)
        try:
            with connect(f"ws://{server.address}{PATH}/?{query}websocket", additional_headers={"Origin": origin}) as ws:
                assert str(ws.recv(timeout=SECONDS)).startswith("0")
                upgraded = 101
        except InvalidStatus as error:
            upgraded = error.response.status_code
        return polled.status_code, upgraded

    async def test_a_page_of_another_site_is_kept_out(self, server: Server) -> None:
        for origin in (self.OTHER, "null", f"https://{server.address}", f"http://{server.address}.example.org"):
            assert self.statuses(server, origin) == (403, 403)
        assert self.statuses(server, f"http://{server.address}") == (200, 101)

    async def test_an_operator_may_let_another_site_in(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN, DIEGO_ALLOWED_ORIGINS=self.OTHER) as server:
            for origin in (self.OTHER, f"http://{server.address}"):
                assert self.statuses(server, origin) == (200, 101)
            answer = server.get(f"{PATH}/?EIO=4&transport=polling", Origin=self.OTHER)
            assert answer.headers["access-control-allow-origin"] == self.OTHER
            assert self.statuses(server, "https://elsewhere.example.org") == (403, 403)
            async with guest(server, "Ana", Origin=self.OTHER) as ana:
                assert "number" in await ana.say("Hello from elsewhere")


class TestWhatLasts:
    async def test_the_last_messages_are_there_also_after_a_restart(self, tmp_path: Path) -> None:
        texts = [f"message {number}" for number in range(MOST_KEPT + 20)]
        with serving(tmp_path, *STAND_IN) as server:
            async with AsyncExitStack() as stack:
                crowd = [await stack.enter_async_context(guest(server)) for _ in range(11)]
                for number, text in enumerate(texts):
                    assert "number" in await crowd[number % len(crowd)].say(text)
                async with guest(server) as late:
                    assert late.texts == texts[-MOST_KEPT:]
                last = crowd[0].all("response")[-1]
            assert server.stop() == 0
        with serving(tmp_path, *STAND_IN) as server:
            async with guest(server) as back:
                assert back.texts == texts[-MOST_KEPT:]
                assert back.told[1][1]["messages"][-1] == last
                assert (await back.say("And on"))["number"] == last["number"] + 1

    async def test_what_was_acknowledged_is_kept(self, own_server: Server) -> None:
        async with guest(own_server) as one:
            numbers = [(await one.say(f"message {number}"))["number"] for number in range(10)]
            own_server.kill()
        with serving(own_server.output.parent, *STAND_IN) as again:
            async with guest(again) as back:
                assert [message["number"] for message in back.told[1][1]["messages"]] == numbers

    async def test_a_web_socket_is_closed_with_1012_when_the_server_stops(self, own_server: Server) -> None:
        with raw_guest(own_server) as raw:
            stopping = asyncio.create_task(asyncio.to_thread(own_server.stop))
            assert str(await asyncio.to_thread(raw.recv, SECONDS)).startswith('42["draining"')
            with pytest.raises(ConnectionClosed):
                await asyncio.to_thread(raw.recv, SECONDS)
            assert (await stopping, raw.close_code) == (0, 1012)

    async def test_who_asks_diego_when_the_server_stops_is_answered_or_told(self, tmp_path: Path) -> None:
        asked = ["@diego slow 1", "@diego slow 2", "@diego slow 3"]
        with serving(tmp_path, *STAND_IN, DIEGO_DRAIN_SECONDS="4") as server:
            async with guest(server, "Ana") as ana:
                for text in asked:
                    await ana.say(text)
                assert await asyncio.to_thread(server.stop) == 0
                assert [message["answers"] for message in ana.all("response")[3:]] == [1, 2, 3]
                assert ana.texts == [*asked, "slow 1", LEAVING, LEAVING]
            assert "ERROR" not in server.log
        with serving(tmp_path, *STAND_IN) as again:
            async with guest(again, "Ana") as ana:
                assert ana.texts == [*asked, "slow 1", LEAVING, LEAVING]

    @needs("node")
    @pytest.mark.parametrize("transport", ["websocket", "polling"])
    async def test_a_restart_costs_nobody_a_message(self, own_server: Server, transport: str) -> None:
        folder, port = own_server.output.parent, own_server.port
        texts = [f"message {number}" for number in range(18)]
        async with guest(own_server, "Ana") as ana:
            async with node_guest(own_server, "Nora", transport) as nora:
                for number, text in enumerate(texts[:9]):
                    nora.say(text, str(number))
                await nora.hears_so_many("response", 3)
                assert await asyncio.to_thread(own_server.stop) == 0
                if transport == "websocket":  # who polls may be refused a new connection before
                    assert await nora.hears("draining") == {"text": RESTARTS}
                for number, text in enumerate(texts[9:], 9):
                    nora.say(text, str(number))
                with serving(folder, *STAND_IN, port=port) as again:
                    await nora.hears_so_many("acknowledged", len(texts))
                    assert nora.texts == texts
                    async with guest(again) as other:
                        assert other.texts == texts
                    assert "Traceback" not in again.log
                assert "io server disconnect" not in nora.all("disconnect")
            await ana.hears("draining")
        assert "Traceback" not in own_server.log
        assert "ERROR" not in own_server.log


def stalled(server: Server, name: str) -> "closing[socket.socket]":
    """Somebody who comes in and then reads no more."""
    host, port = server.address.split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.sendall(HANDSHAKE)
    assert b" 101 " in client.recv(1024)
    client.sendall(frame(f'40{{"name":"{name}"}}'))
    return closing(client)


async def say_large_things(one: Guest) -> None:
    """Have Diego say more than the system keeps for somebody who does not read."""
    for number in range(1, 4):
        await one.say("@diego long 3000000")
        await one.hears_so_many("response", 2 * number)


class TestWhoTakesNothing:
    async def test_is_cut_off_and_nobody_waits(self, tmp_path: Path) -> None:
        with serving(tmp_path, *LARGE_REPLIES) as server:
            async with guest(server, "Ana") as ana, guest(server, "Ben", transport="polling") as ben:
                with stalled(server, "Sam"):
                    await ana.hears("joined", name="Sam")
                    await say_large_things(ana)
                    for number in range(15):
                        await ana.say(f"message {number}")
                        await ben.hears("response", text=f"message {number}")
                    await ana.hears("left", name="Sam")
                await ben.hears("left", name="Sam")
            assert server.stop() == 0
            assert "Traceback" not in server.log

    async def test_does_not_keep_the_server_from_stopping(self, tmp_path: Path) -> None:
        with serving(tmp_path, *LARGE_REPLIES) as server:
            async with guest(server, "Ana") as ana:
                with stalled(server, "Sam"):
                    await ana.hears("joined", name="Sam")
                    await say_large_things(ana)
                    assert await asyncio.to_thread(server.stop) == 0
            assert not re.search("Cancel [1-9]", server.log)  # as uvicorn says of tasks that do not end


class TestForgetting:
    async def test_what_a_visitor_said_is_gone_for_everybody_and_from_the_files(self, tmp_path: Path) -> None:
        secrets = ["".join(random.Random(8).choices("bcdfghjklmnpqrstvwxz", k=12)) for _ in range(3)]
        with serving_small(tmp_path) as server:
            mine, yours = new_cookie(server), new_cookie(server)
            async with guest(server, "Ben", yours) as ben, guest(server, secrets[0], mine) as ana:
                await ben.say("Hello, everybody")
                await ana.say(f"@diego Hello, I mean {secrets[1]}")
                await ben.hears("response", name="Diego")
                await ana.say({"text": f"Tell nobody {secrets[1]}", "id": secrets[2]})
                with open_plain_tab(server, mine) as tab:
                    exported = json.loads(await asyncio.to_thread(answer, tab, "/export"))["room"]
                    assert [message["name"] for message in exported] == [secrets[0], "Diego", secrets[0]]
                    assert traces(server, secrets) == {*secrets}
                    await asyncio.to_thread(answer, tab, "/forget")
                await ben.until(lambda: ben.texts == ["Hello, everybody"])
                await ben.hears("left", name=secrets[0])
                await ana.hears_so_many("disconnect", 1)
                assert traces(server, secrets) == set()
            async with guest(server, secrets[0], mine) as again:
                assert again.texts == ["Hello, everybody"]
                await again.say("I am somebody else now")
            assert server.stop() == 0
            assert "Traceback" not in server.log

    async def test_it_is_noticed_that_an_operator_has_had_somebody_forgotten(self, tmp_path: Path) -> None:
        with serving_small(tmp_path) as server:
            cookie = new_cookie(server)
            with open_plain_tab(server, cookie) as tab:
                visitor = visitor_of(tab)
            async with guest(server, "Ben") as ben, guest(server, "Ana", cookie) as ana:
                await ana.say("Tell nobody")
                await asyncio.to_thread(operate, server, "forget", "--visitor", visitor)
                told = await ana.client.call("message", "And this?", timeout=SECONDS) if ana.client.connected else None
                assert told in ({"error": FORGOTTEN}, None)
                await ben.hears_so_many("history", 2)
                assert ben.texts == []
                await ana.hears_so_many("disconnect", 1)
                await ben.hears("left", name="Ana")


@only_sqlite
async def test_what_is_restored_from_a_backup_is_shown_to_all_who_are_here(tmp_path: Path) -> None:
    with serving_small(tmp_path) as server:
        async with guest(server, "Ana") as ana:
            number = (await ana.say("Before"))["number"]
            await asyncio.to_thread(operate, server, "backup", "backup.zip")
            number = max(number, (await ana.say("After"))["number"])
            await asyncio.to_thread(operate, server, "restore", "backup.zip")
            await ana.hears_so_many("history", 2)
            assert ana.texts == ["Before"]
            assert (await ana.say("And on"))["number"] > number
            assert ana.texts == ["Before", "And on"]
        assert "Traceback" not in server.log


async def test_who_is_in_the_room_is_counted(tmp_path: Path) -> None:
    with serving_small(tmp_path) as server:
        async with guest(server, "Ana") as ana, guest(server, "Ben"), guest(server, "Zoe") as zoe:
            with open_tab(server, new_cookie(server)):
                number = (await ana.say("@diego How many people are you talking to?"))["number"]
                assert "4" in (await zoe.hears("response", answers=number))["text"]
                assert await asyncio.to_thread(server.count) == 4
        await asyncio.to_thread(wait_for, lambda: server.count() == 0)


class TestDiegoLearnsNothingHere:
    async def test_lessons_names_and_turns_stay_out_of_it(self, tmp_path: Path) -> None:
        with serving_small(tmp_path) as server:
            cookie = new_cookie(server)
            with open_tab(server, cookie) as tab:
                ask(tab, "When I say ping, answer pong")
                ask(tab, "My name is Zabaione")
            async with guest(server, "Ana", cookie) as ana, guest(server, "Ben") as ben:
                for said in (
                    "@diego ping",
                    "@diego What's my name?",
                    "@diego When I say pong, answer peng",
                    "@diego pong",
                    "@diego My name is Ben",
                    "@diego What did I just say?",
                ):
                    number = (await ana.say(said))["number"]
                    reply = await ben.hears("response", answers=number)
                    assert reply["text"] == UNKNOWN
                await ben.say("@diego Tell me a joke")
                await ben.hears("response", text="Knock knock.")
                await ana.say("@diego Who is there?")  # goes on with it, as it is one conversation
                await ben.hears("response", text="Olive.")
            with open_tab(server, cookie) as tab:
                send(tab, type="export")
                data = receive(tab)["data"]
                assert (len(data["turns"]), len(data["lessons"]), data["name"]) == (2, 1, "Zabaione")


async def test_who_chats_elsewhere_does_not_come_into_the_room(server: Server) -> None:
    with open_tab(server, new_cookie(server)) as tab:
        async with guest(server, "Ana") as ana:
            before = wait_for(lambda: ana.texts) if ana.texts else []
            await asyncio.to_thread(ask, tab, "@diego Hello")
            await ana.say("Anybody?")
            await ana.hears("response", text="Anybody?")
        assert ana.texts == [*before, "Anybody?"]
