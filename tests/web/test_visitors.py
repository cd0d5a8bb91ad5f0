import asyncio
import gc
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, closing
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError
from starlette.testclient import TestClient
from starlette.types import Message as Frame
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.sync.client import ClientConnection

from chatbot.bot.diary import Diary
from chatbot.messages import APOLOGY
from chatbot.web.cookies import new_visitor
from chatbot.web.metrics import Metrics
from chatbot.web.tab import T, Tab
from chatbot.web.threads import Threads, Told
from chatbot.web.visitors import LEFT, Visitor, Visitors, reply_to
from chatbot.web.wire import JSON, MOST_TURNS, Event, Message
from tests import diaries
from tests.databases import CANNOT_BE_READ, CANNOT_BE_WRITTEN, change, url_in
from tests.processes import STAND_IN, Server, serving, wait_for
from tests.scale import IS_SCALED
from tests.tabs import (
    Fields,
    ask,
    frame,
    history,
    new_cookie,
    open_plain_tab,
    open_tab,
    raw_client,
    receive,
    say,
    send,
    until_reply,
)

LONG = "long 20000000"  # is far more than the system keeps for who does not read


def prompts(turns: list[Fields]) -> list[str]:
    return [turn["prompt"] for turn in turns]


@pytest.mark.server
class TestOneVisitor:
    def test_all_tabs_and_reconnects_are_one_conversation(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as one, open_plain_tab(server, cookie) as plain:
            conversation = ask(one, "conversation")["text"]
            plain.send("conversation")
            assert plain.recv(timeout=30) == conversation
        with open_tab(server, cookie) as later:
            reply = ask(later, "conversation")
        assert (reply["text"], reply["seq"]) == (conversation, 3)

    def test_two_visitors_see_nothing_of_each_other(self, server: Server) -> None:
        mine, yours = new_cookie(server), new_cookie(server)
        with open_tab(server, mine) as my_tab, open_tab(server, yours) as your_tab:
            my_id = say(my_tab, "my secret")
            your_id = say(your_tab, "conversation")
            my_frames = until_reply(my_tab, my_id)
            your_frames = until_reply(your_tab, your_id)
            send(my_tab, type="history")
            send(your_tab, type="history")
            my_frames.append(receive(my_tab))
            your_frames.append(receive(your_tab))
            assert your_frames[1]["text"] != ask(my_tab, "conversation")["text"]
        assert [frame["type"] for frame in my_frames] == ["typing", "reply", "history"]
        assert [frame["type"] for frame in your_frames] == ["typing", "reply", "history"]
        assert "my secret" in json.dumps(my_frames)
        assert "my secret" not in json.dumps(your_frames)
        assert "my secret" not in json.dumps(history(server, yours))
        with open_tab(server, yours, "?last_seq=0") as again:
            assert prompts(receive(again)["turns"]) == ["conversation"]

    def test_the_id_of_another_visitors_message_is_nothing_special(self, server: Server) -> None:
        with open_tab(server, new_cookie(server)) as mine, open_tab(server, new_cookie(server)) as yours:
            send(mine, type="message", text="my secret", id="1")
            assert until_reply(mine, "1")[-1]["text"] == "my secret"
            send(yours, type="message", text="Hi", id="1")
            assert until_reply(yours, "1")[-1]["text"] == "Hi"

    def test_four_tabs_that_send_at_once_see_the_same_order(self, server: Server) -> None:
        cookie = new_cookie(server)
        messages = [[f"{tab} says {number}" for number in range(25)] for tab in range(4)]
        everything = 2 * sum(map(len, messages))
        with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
            tabs = [stack.enter_context(open_tab(server, cookie)) for _ in messages]

            def chat(number: int) -> list[Fields]:
                for text in messages[number]:
                    say(tabs[number], text)
                return [receive(tabs[number]) for _ in range(everything)]

            first, *others = pool.map(chat, range(4))
        typing, replies = ([frame for frame in first if frame["type"] == type_] for type_ in ("typing", "reply"))
        assert [[frame for frame in other if frame["type"] == "reply"] for other in others] == [replies] * 3
        assert {frame["id"] for frame in typing} == {frame["id"] for frame in replies}
        if not IS_SCALED:  # else who types at another process may be shown somewhat later
            assert others == [first] * 3
            assert [frame["type"] for frame in first] == ["typing", "reply"] * (everything // 2)
            assert [frame["id"] for frame in typing] == [frame["id"] for frame in replies]
        assert [frame["seq"] for frame in replies] == [*range(1, everything // 2 + 1)]
        assert all(frame["prompt"] == frame["text"] for frame in replies)
        for said in messages:
            assert [text for text in prompts(replies) if text in said] == said
        kept = history(server, cookie)
        assert [{"type": "reply", **turn} for turn in kept] == replies

    def test_a_conversation_outlasts_the_server(self, tmp_path: Path) -> None:
        with serving(tmp_path, *STAND_IN) as server:
            cookie = new_cookie(server)
            with open_tab(server, cookie) as tab:
                before = ask(tab, "conversation")
            assert server.stop() == 0
        with serving(tmp_path, *STAND_IN) as server, open_tab(server, cookie) as tab:
            after = ask(tab, "conversation")
            assert (after["seq"], after["text"]) == (before["seq"] + 1, before["text"])
            assert [turn["seq"] for turn in history(server, cookie)] == [1, 2]

    def test_a_turn_is_kept_before_its_reply_is_sent(self, own_server: Server) -> None:
        cookie = new_cookie(own_server)
        with open_tab(own_server, cookie) as tab:
            replies = [ask(tab, f"message {number}") for number in range(20)]
            own_server.kill()
        kept = change(own_server.output.parent, "SELECT number, prompt FROM turn ORDER BY number")
        assert kept == [(reply["seq"], reply["prompt"]) for reply in replies]


@pytest.mark.server
class TestIds:
    def test_what_is_sent_twice_is_answered_once(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as tab, open_tab(server, cookie) as other:
            message_id = say(tab, "slow 0.1")
            replies = []
            for each in (tab, other):
                assert receive(each)["type"] == "typing"
                send(each, type="message", text="slow 0.1", id=message_id)
            for each in (tab, other):
                # At another process the one that is shown to all may be the answer, too.
                replies += [until_reply(each, message_id)[-1] for _ in range(1 if IS_SCALED else 2)]
        with open_tab(server, cookie) as again:
            send(again, type="message", text="another text", id=message_id)
            replies.append(receive(again))
        assert replies == [replies[0]] * len(replies)
        assert len(history(server, cookie)) == 1

    def test_without_an_id_it_is_said_twice(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as tab:
            for seq in (1, 2):
                send(tab, type="message", text="Hi")
                assert receive(tab) == {"type": "typing", "id": None, "prompt": "Hi"}
                assert receive(tab)["seq"] == seq


def shown_until(tab: ClientConnection, number: int) -> list[Fields]:
    """The turns that a tab shows up to that one, as replies, whether they come live or from the history."""
    shown: list[Fields] = []
    while not (shown and shown[-1]["seq"] == number):
        frame = receive(tab)
        shown += [{"type": "reply", **turn} for turn in frame.get("turns", [])]
        shown += [frame] if frame["type"] == "reply" else []
    return shown


@pytest.mark.server
class TestComingBack:
    @pytest.mark.parametrize("seen", [0, 1, 4, 6])
    def test_what_was_missed_is_shown_once_then_what_happens(self, server: Server, seen: int) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as tab:
            replies = [ask(tab, f"message {number}") for number in range(1, 7)]
            with open_tab(server, cookie, f"?last_seq={seen}") as again:
                replies += [ask(tab, "live"), ask(tab, "last")]
                assert shown_until(again, 8) == replies[seen:]

    def test_much_comes_in_pages(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as tab:
            for number in range(1, 2 * MOST_TURNS + 8):
                ask(tab, f"message {number}")
        with open_tab(server, cookie, "?last_seq=5") as again:
            pages = [[turn["seq"] for turn in receive(again)["turns"]] for _ in range(3)]
            assert [len(page) for page in pages] == [MOST_TURNS, MOST_TURNS, 2]
            assert [*chain(*pages)] == [*range(6, 2 * MOST_TURNS + 8)]
            assert ask(again, "Hi")["seq"] == 2 * MOST_TURNS + 8

    @pytest.mark.parametrize("query", ["", "?last_seq=", "?last_seq=x", "?last_seq=-1", "?last_seq=" + "9" * 99])
    def test_without_a_number_nothing_is_shown_again(self, server: Server, query: str) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie, query) as tab:
            ask(tab, "Hi")
        with open_tab(server, cookie, query) as again:
            assert until_reply(again, say(again, "Hi"))[0]["type"] == "typing"

    def test_the_plain_wire_shows_nothing_again(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_plain_tab(server, cookie) as tab:
            tab.send("one")
            tab.recv(timeout=30)
        with server.connect("?last_seq=0", additional_headers={"Cookie": cookie}) as again:
            again.send("two")
            assert again.recv(timeout=30) == "two"

    @pytest.mark.parametrize("query", ["", "?last_seq=0"])
    def test_who_comes_while_a_reply_is_computed_sees_it_once(self, server: Server, query: str) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as tab:
            message_id = say(tab, "slow 1")
            assert receive(tab)["type"] == "typing"
            with open_tab(server, cookie, query) as late:
                replies = [until_reply(tab, message_id)[-1], ask(tab, "next")]
                assert shown_until(late, 2) == replies


@pytest.mark.server
class TestLeaving:
    def test_who_leaves_while_a_reply_is_computed_gets_none_and_the_other_tabs_are_told(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as stays:
            with open_tab(server, cookie) as leaves:
                message_id = say(leaves, "slow 20")
                assert receive(stays) == {"type": "typing", "id": message_id, "prompt": "slow 20"}
            assert receive(stays) == {"type": "error", "id": message_id, "text": LEFT}
            assert ask(stays, "Hi")["seq"] == 1
        assert prompts(history(server, cookie)) == ["Hi"]

    def test_what_had_no_reply_can_be_sent_again(self, server: Server) -> None:
        cookie = new_cookie(server)
        with open_tab(server, cookie) as leaves:
            message_id = say(leaves, "slow 0.5")
            assert receive(leaves)["type"] == "typing"
        with open_tab(server, cookie) as again:
            send(again, type="message", text="slow 0.5", id=message_id)
            assert until_reply(again, message_id)[-1]["seq"] == 1

    @pytest.mark.parametrize("query", ["", "?last_seq=0"])
    def test_who_leaves_while_another_tab_is_answered_is_no_longer_counted(
        self, own_server: Server, query: str
    ) -> None:
        cookie = new_cookie(own_server)
        with open_tab(own_server, cookie) as busy:
            say(busy, "slow 60")
            assert receive(busy)["type"] == "typing"
            with open_tab(own_server, cookie, query) as waiting:
                say(waiting, "Hi")
                wait_for(lambda: own_server.count() == 2)
            wait_for(lambda: own_server.count() == 1)


@pytest.mark.server
@pytest.mark.parametrize("deaf", [1, 3])
def test_a_tab_that_does_not_read_holds_up_the_others_for_a_short_time(impatient_server: Server, deaf: int) -> None:
    server, cookie = impatient_server, new_cookie(impatient_server)
    with ExitStack() as stack, open_tab(server, cookie, max_size=None) as tab:
        for _ in range(deaf):
            stack.enter_context(raw_client(server, f"Cookie: {cookie}", f"Sec-WebSocket-Protocol: {JSON}"))
        wait_for(lambda: server.count() == 1 + deaf)
        assert ask(tab, LONG)["seq"] == 1
        assert ask(tab, "Hi")["seq"] == 2
        wait_for(lambda: server.count() == 1)
        assert ask(tab, "Hi")["seq"] == 3
    assert "Traceback" not in server.log


@pytest.mark.server
def test_a_tab_that_has_long_not_read_holds_up_who_comes_for_a_short_time(impatient_server: Server) -> None:
    server, cookie = impatient_server, new_cookie(impatient_server)
    with closing(raw_client(server, f"Cookie: {cookie}")) as deaf:
        deaf.sendall(frame(LONG) + frame("Hi") + frame("Hi"))
        wait_for(lambda: len(history(server, cookie)) == 2)
        assert server.get("/conversation/lessons", Cookie=cookie).json() == {"lessons": []}
        with open_tab(server, cookie) as tab:
            assert ask(tab, "Here I am")["text"] == "Here I am"


class ToldTab(Tab):
    """A tab without a socket; it notes what it is told, or takes nothing."""

    def __init__(self, *, takes: bool) -> None:
        self.rich, self.seen = True, None
        self.takes = takes
        self.told: list[Event] = []
        self.ended: list[int] = []

    async def accept(self) -> None: ...

    async def send(self, event: Event) -> None:
        self.told.append(event)
        if not self.takes:
            raise WebSocketDisconnect

    async def unless_left(self, answering: asyncio.Future[T]) -> T:
        return await answering

    def end(self, code: int, _reason: str) -> None:
        self.ended.append(code)


class Echo:
    def get_response(self, prompt: str, *, conversation: str) -> str:  # noqa: ARG002 - Diego's signature
        return prompt


@pytest.mark.anyio
async def test_a_tab_that_was_cut_off_is_told_no_more(tmp_path: Path) -> None:
    threads, tab, deaf = Threads(), ToldTab(takes=True), ToldTab(takes=False)
    with closing(Diary(url_in(tmp_path))) as diary, closing(threads):
        visitor = Visitor(new_visitor(), threads, diary, Metrics())
        async with visitor.at(tab), visitor.at(deaf):
            await visitor.ask(Echo(), Message("Hi"), tab)
    assert [event.type for event in tab.told] == ["typing", "reply"]
    assert [event.type for event in deaf.told] == ["typing"]


@pytest.mark.anyio
async def test_what_the_first_reply_needs_is_looked_up_when_the_visitor_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, tab, ann = Threads(), ToldTab(takes=True), new_visitor()
    with closing(Diary(url_in(tmp_path))) as diary, closing(threads):
        diaries.say(diary, ann, "Hi", "How are you?")
        visitor = Visitor(ann, threads, diary, Metrics())
        async with visitor.at(tab):
            monkeypatch.setattr("chatbot.bot.turns.Turns.last_number", None)
            await visitor.ask(Echo(), Message("Hi"), tab)
    assert tab.told[-1].fields["seq"] == 3


async def tab_that_has_left() -> Tab:
    async def receive() -> Frame:
        return frames.pop(0)

    async def send(_frame: Frame) -> None: ...

    frames: list[Frame] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}]
    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
    tab = Tab(WebSocket(scope, receive, send), "diego=")
    await tab.accept()
    with pytest.raises(WebSocketDisconnect):
        await tab.unless_left(asyncio.get_running_loop().create_future())
    return tab


@pytest.mark.anyio
async def test_a_turn_that_is_being_kept_is_waited_for_although_the_tab_has_left() -> None:
    threads, tab, begun = Threads(), await tab_that_has_left(), threading.Event()

    def keep(told: Told[int]) -> None:
        assert told.begin()
        begun.set()

    with closing(threads):
        keeping = threads.told(keep)
        await threads.run(begun.wait, 30)
        waiting = asyncio.ensure_future(tab.unless_left(keeping))
        await asyncio.sleep(0)
        keeping.tell(7)
        assert await waiting == 7


@pytest.mark.anyio
async def test_a_tab_that_cannot_be_let_in_is_told_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, tab, refused = Threads(), ToldTab(takes=True), ToldTab(takes=True)
    with closing(Diary(url_in(tmp_path))) as diary, closing(threads):
        visitor = Visitor(new_visitor(), threads, diary, Metrics())
        async with visitor.at(tab):
            with monkeypatch.context() as broken:
                broken.setattr(diary, "forgotten", Unreadable())
                with pytest.raises(SQLAlchemyError):
                    await visitor.at(refused).__aenter__()
            await visitor.ask(Echo(), Message("Hi"), tab)
    assert [event.type for event in tab.told] == ["typing", "reply"]
    assert refused.told == []


class Unreadable:
    def __contains__(self, _visitor: str) -> bool:
        raise SQLAlchemyError


@pytest.mark.anyio
async def test_what_is_said_after_another_process_had_the_visitor_forgotten_is_not_kept(
    tmp_path: Path,
) -> None:
    threads, tab, number, url = Threads(), ToldTab(takes=True), new_visitor(), url_in(tmp_path)
    with closing(Diary(url)) as diary, closing(Diary(url)) as operator, closing(threads):
        visitor = Visitor(number, threads, diary, Metrics())
        async with visitor.at(tab):
            await visitor.ask(Echo(), Message("Hi"), tab)
            operator.forget(number)
            await visitor.ask(Echo(), Message("Are you there?"), tab)
            await visitor.ask(Echo(), Message("Hello?"), tab)
        assert [event.text for event in tab.told if event.type != "typing"] == ["Hi", "Are you there?", "Hello?"]
        assert diary.turns.last_number(number) == 0


@pytest.mark.anyio
async def test_a_reply_that_hangs_delays_nobody_elses_goodbye(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.web.visitors.WATCH_SECONDS", 0.01)
    threads, go, url = Threads(), threading.Event(), url_in(tmp_path)

    class Hanging(Echo):
        def get_response(self, prompt: str, *, conversation: str) -> str:
            go.wait(30)
            return super().get_response(prompt, conversation=conversation)

    with closing(Diary(url)) as diary, closing(Diary(url)) as operator, closing(threads):
        visitors = Visitors(threads, diary, Metrics())
        here = [(visitors.visitor(new_visitor()), ToldTab(takes=True)) for _ in range(3)]
        async with AsyncExitStack() as stack:
            for visitor, tab in here:
                await stack.enter_async_context(visitor.at(tab))
            asking = [asyncio.create_task(visitor.ask(Hanging(), Message("Hi"), tab)) for visitor, tab in here]
            watching = asyncio.create_task(visitors.watch())
            await asyncio.to_thread(wait_for, lambda: all(tab.told for _, tab in here))
            for visitor, _ in here:
                operator.forget(visitor.id)
            await asyncio.to_thread(wait_for, lambda: all(tab.ended == [1000] for _, tab in here))
            assert not any(task.done() for task in asking)
            go.set()
            await asyncio.gather(*asking)
            await asyncio.to_thread(wait_for, lambda: not any(diary.turns.last_number(one.id) for one, _ in here))
        watching.cancel()


@pytest.mark.anyio
async def test_a_reply_that_can_be_kept_no_more_is_not_sent(tmp_path: Path) -> None:
    threads, tab, diary = Threads(), ToldTab(takes=True), Diary(url_in(tmp_path))

    class Late(Echo):
        def get_response(self, prompt: str, *, conversation: str) -> str:
            diary.close()
            return super().get_response(prompt, conversation=conversation)

    with closing(threads):
        visitor = Visitor(new_visitor(), threads, diary, Metrics())
        async with visitor.at(tab):
            await visitor.ask(Late(), Message("Hi"), tab)
    assert [event.type for event in tab.told] == ["typing", "error"]


BROKEN = {"cannot be written": CANNOT_BE_WRITTEN, "cannot be read": CANNOT_BE_READ}


@pytest.mark.server
class TestABrokenDatabase:
    @pytest.mark.parametrize(("breaks", "mended"), BROKEN.values(), ids=BROKEN)
    def test_nothing_is_acknowledged_until_it_is_mended(self, own_server: Server, breaks: str, mended: str) -> None:
        cookie = new_cookie(own_server)
        with (
            open_tab(own_server, cookie) as tab,
            open_tab(own_server, cookie) as other,
            open_plain_tab(own_server, cookie) as plain,
        ):
            assert ask(tab, "before")["seq"] == 1
            change(own_server.output.parent, breaks)
            message_id = say(tab, "meanwhile")
            for each in (tab, other):
                assert until_reply(each, message_id)[-1] == {"type": "error", "id": message_id, "text": APOLOGY}
            plain.send("meanwhile")
            assert plain.recv(timeout=30) == APOLOGY
            change(own_server.output.parent, mended)
            assert prompts(history(own_server, cookie)) == ["before"]
            send(tab, type="message", text="meanwhile", id=message_id)
            assert until_reply(tab, message_id)[-1]["seq"] == 2
            plain.send("afterwards")
            assert plain.recv(timeout=30) == "afterwards"
        assert prompts(history(own_server, cookie)) == ["before", "meanwhile", "afterwards"]
        assert re.search('the disk is full|no such table|relation "turn" does not exist', own_server.log)

    def test_the_log_says_at_which_turn_it_failed(self, own_server: Server) -> None:
        breaks, mended = CANNOT_BE_WRITTEN
        with open_tab(own_server, new_cookie(own_server)) as tab:
            ask(tab, "before")
            change(own_server.output.parent, breaks)
            assert ask(tab, "meanwhile")["text"] == APOLOGY
            change(own_server.output.parent, mended)
        assert re.search(r"\[\w+ turn 2\] .* a message had no reply", own_server.log)

    def test_a_history_that_cannot_be_read_is_an_apology_too(self, own_server: Server) -> None:
        cookie = new_cookie(own_server)
        with open_tab(own_server, cookie) as tab:
            breaks, mended = CANNOT_BE_READ
            change(own_server.output.parent, breaks)
            send(tab, type="history")
            assert receive(tab) == {"type": "error", "id": None, "text": APOLOGY}
            response = own_server.get("/conversation/history", Cookie=cookie)
            assert response.status_code == 500
            assert "went wrong on our side" in response.json()["error"]
            change(own_server.output.parent, mended)
            send(tab, type="history")
            assert receive(tab) == {"type": "history", "turns": [], "before": None}

    def test_it_gets_over_a_turn_that_another_process_wrote(self, own_server: Server) -> None:
        cookie = new_cookie(own_server)
        with open_tab(own_server, cookie) as tab:
            visitor = ask(tab, "conversation")["text"]
            change(
                own_server.output.parent,
                f"INSERT INTO turn VALUES ('{visitor}', 2, NULL, 'there', 'yes', 1, '', 0, 'known')",
            )
            assert ask(tab, "Hi")["seq"] == 3
        assert prompts(history(own_server, cookie)) == ["conversation", "there", "Hi"]


@pytest.mark.server
def test_of_what_kind_a_reply_is_is_kept_with_its_turn(own_small_server: Server) -> None:
    kinds = {"Hello": "known", "What is 6 times 7?": "skill", "xyzzy": "unknown"}
    cookie = new_cookie(own_small_server)
    with open_tab(own_small_server, cookie) as tab:
        for text in kinds:
            ask(tab, text)
    turns = own_small_server.get("/conversation/export", Cookie=cookie).json()["turns"]
    assert {turn["prompt"]: turn["kind"] for turn in turns} == kinds


@pytest.mark.server
def test_a_reply_that_fails_is_an_apology_in_all_tabs_and_no_turn(server: Server) -> None:
    cookie = new_cookie(server)
    with open_tab(server, cookie) as tab, open_tab(server, cookie) as other:
        message_id = say(tab, "fail")
        for each in (tab, other):
            assert until_reply(each, message_id)[-1] == {"type": "error", "id": message_id, "text": APOLOGY}
        assert ask(tab, "Hi")["seq"] == 1
    assert prompts(history(server, cookie)) == ["Hi"]


def visitors_in_memory() -> int:
    gc.collect()
    return sum(type(kept) is Visitor for kept in gc.get_objects())  # and no proxy, which says it were one


def test_visitors_stay_in_memory_as_long_as_they_have_a_tab(client: TestClient) -> None:
    client.get("/")
    with client.websocket_connect("/conversation", subprotocols=[JSON]) as one:
        with client.websocket_connect("/conversation") as another_tab:
            another_tab.send_text("Hi")
            assert another_tab.receive_text() == "Hi"
        one.send_json({"type": "message", "text": "Hi"})
        assert visitors_in_memory() == 1
        assert client.get("/conversation/history").status_code == 200
    client.cookies.clear()
    with client.websocket_connect("/conversation") as closed:
        closed.send_bytes(b"Hi")
        with pytest.raises(WebSocketDisconnect):
            closed.receive_text()
    assert visitors_in_memory() == 0


def test_what_can_be_sent_or_kept_by_nobody_is_taken_out_of_a_reply() -> None:
    class Odd:
        def get_response(self, _prompt: str, *, conversation: str) -> str:  # noqa: ARG002 - as of every chatbot
            return "a\0b\ud800c"

    reply = reply_to(Odd(), "Hello", "")
    assert reply is not None
    assert reply.text == "ab?c"
