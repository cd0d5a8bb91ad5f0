"""The room, in which everybody reads everybody; Diego answers who mentions him."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from engineio.packet import Packet
from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.requests import Request
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from chatbot.bot.database import log_failure
from chatbot.bot.diary import Diary
from chatbot.bot.room import MOST_KEPT, ROOM, Said
from chatbot.messages import APOLOGY, BLANK, NotNow, RefusedMessage, in_a_moment, read_prompt
from chatbot.shared.link import Unreachable
from chatbot.shared.register import Here
from chatbot.web.mentions import asks_diego, prompt_for_diego
from chatbot.web.metrics import Metrics
from chatbot.web.other_rooms import OtherRooms
from chatbot.web.people import DIEGO, NAME_RESERVED, NAME_TAKEN, People, Person, is_guest, name_key, read_name
from chatbot.web.rates import CountAsked, Patience, Rate
from chatbot.web.sockets import RESTARTS, Sockets, event_packet
from chatbot.web.tab import POLICY_VIOLATION
from chatbot.web.tasks import keep_up
from chatbot.web.threads import Threads, Told
from chatbot.web.visitors import Answer, Chatbot, reply_to
from chatbot.web.wire import Message, message_id

logger = logging.getLogger(__name__)

MOST_WAITING = 1000
"""How many messages, joins and leaves wait to be told before no more are taken."""

MOST_AT_ONCE = 32
"""How many of them are told for one commit."""

MOST_MENTIONS = 16
"""How many who mention Diego wait for his answer."""

MOST_REPLY_CHARACTERS = 4000
"""An adapter may answer at any length; everybody gets it, and gets it again with the history."""

TYPING_SECONDS = 2.0
"""How often the others are told of somebody that they type."""

WATCH_SECONDS = 1.0
"""How often it is looked up whether visitors were forgotten, or a backup was restored."""

AGAIN = "You have left the room. To come back, make a new connection."
NO_MESSAGE = 'A message must be a text, or an object such as {"text": "Hi", "id": "a1"}.'
CROWDED = "So much is being said that not everybody can be heard. Please try again in {} s."
MANY_MENTIONS = "So many are asking Diego that he cannot listen. Please ask him again in {} s."
LEAVING = "I have to leave before I can answer. Please ask me again when I am back."
FORGOTTEN = "Diego has forgotten you. Connect again to begin anew."

_JOINED = "diego.joined"
"""Where it is noted that somebody has come over a connection."""


class _Joining(NamedTuple):
    sid: str
    person: Person


class _Leaving(NamedTuple):
    sid: str


class _Saying(NamedTuple):
    said: Said
    done: "asyncio.Future[int | str]"
    """Told the message's number, or a sentence that says why it was not said."""


class _Forgetting(NamedTuple):
    done: "asyncio.Future[None]"


class _Hearing(NamedTuple):
    """Other processes have said something, or others have come or left there."""


_Event = _Joining | _Leaving | _Saying | _Forgetting | _Hearing


class Room:
    """Who is here and what is said. One task, `_speak`, tells all of it, in the order in which it came.

    So everybody sees the same, and who joins gets the history up to the message that is told next.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - it has to do with everything
        self,
        chatbot: Chatbot,
        threads: Threads,
        diary: Diary,
        people: People,
        sockets: Sockets,
        metrics: Metrics,
        elsewhere: OtherRooms | None = None,
    ) -> None:
        self._chatbot = chatbot
        self._threads = threads
        self._diary = diary
        self._people = people
        self._metrics = metrics
        self._elsewhere = elsewhere
        self._others: dict[str, Here] = {}  # who is here at other processes, by the keys of their names
        self._tabs: dict[str, Person] = {}  # the same, by Socket.IO's session ids
        self._patience: dict[str, Patience] = {}  # with whoever says something, by the same
        self._told: dict[str, Person] = {}  # the same for those whose joining and not yet whose leaving was told
        self._messages: deque[Said] = deque(maxlen=MOST_KEPT)
        self._number = 0  # of the last message that was told
        self._news: deque[Said] = deque()  # what is to be told next
        self._typings: set[asyncio.Task[None]] = set()  # of others elsewhere
        self._is_hearing = False  # whether it is about to be looked what is new elsewhere
        self._coming: set[str] = set()  # those of whom it is not yet known whether they may have their names
        self._history: Packet | None = None
        self._events: asyncio.Queue[_Event] = asyncio.Queue()  # bounded, but who leaves is always let go
        self._under_way: dict[tuple[str, str], asyncio.Future[int | str]] = {}
        self._mentions: asyncio.Queue[Said] = asyncio.Queue()
        self._typing = Rate(1, TYPING_SECONDS)
        self._all_typing = Rate(20, 1)
        self._draining = False
        self._leaving = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.sockets = sockets
        for name, handler in {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "message": self._hear,
            "typing": self._type,
        }.items():
            self.sockets.server.on(name, handler)

    async def open(self) -> None:
        """Begin; what was said last is remembered."""
        known = await self._threads.run(self._known)
        self._messages.extend(await self._threads.run(self._diary.room.last))
        if self._messages:
            self._number = self._messages[-1].number
        await self.sockets.open()
        if self._elsewhere:
            await self._elsewhere.listen(self._heard, self._type_elsewhere)
            self._others = await self._elsewhere.people() or {}
        tasks = (keep_up(self._speak), keep_up(self._answer), keep_up(self._watch, known))
        self._tasks = [asyncio.create_task(task) for task in tasks]

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self.sockets.close()

    async def drain(self, seconds: float) -> None:
        """Keep and tell what has been said, then end all connections so that clients come back by themselves.

        Those whom Diego has not answered after so many seconds are told that he leaves.
        """
        self._draining = True
        await self._events.join()  # then all mentions are known
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._mentions.join()
        self._leaving.set()
        await self._mentions.join()
        await self._events.join()
        await self.sockets.send(self._told, event_packet("draining", {"text": RESTARTS}))
        await self.sockets.drain()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        if self._draining or self._events.qsize() >= MOST_WAITING:
            raise Refused(RESTARTS if self._draining else str(in_a_moment(CROWDED)))
        if environ.get(_JOINED):  # who comes again and again, and takes nothing, would have many histories wait
            raise Refused(AGAIN)
        scope = environ["asgi.scope"]
        self._coming.add(sid)
        try:
            person = await self._person(scope["visitor"], auth)
        except RefusedMessage as refused:
            raise Refused(str(refused)) from None
        finally:
            has_left = sid not in self._coming
            self._coming.discard(sid)
        if has_left:
            self._let_go(person)
            raise Refused(AGAIN)
        # From here on it must not wait: else what follows may be told before the client is connected, or not leave.
        environ[_JOINED] = True
        person.tabs += 1
        self._people[name_key(person.name)] = self._tabs[sid] = person
        if self._elsewhere:
            self._elsewhere.take(name_key(person.name), person.visitor, person.here)
        self._patience[sid] = Patience(scope["count_asked"])
        self._events.put_nowait(_Joining(sid, person))

    def _disconnect(self, sid: str, _reason: str) -> None:
        self._coming.discard(sid)
        person = self._tabs.pop(sid, None)
        if person is None:
            return  # while it was found out whether the name may be had
        del self._patience[sid]
        person.tabs -= 1
        self._let_go(person)
        if not self._draining:  # else everybody leaves, and comes back
            self._events.put_nowait(_Leaving(sid))

    def _let_go(self, person: Person) -> None:
        """Give back the name of somebody who has no tab any more."""
        key = name_key(person.name)
        if not person.tabs and self._people.get(key) in (person, None):
            self._people.pop(key, None)
            if self._elsewhere:
                self._elsewhere.release(key)

    async def _person(self, visitor: str, auth: object) -> Person:
        """Who comes with that authentication. Raises RefusedMessage."""
        given = auth.get("name") if isinstance(auth, dict) else None
        name = None if given is None else read_name(given)
        if here := self._people.find(visitor, name):
            return here
        claimed = await self._claim(visitor, name)
        here = self._people.get(name_key(claimed.name))  # in another tab, meanwhile
        return here if here and here.visitor == visitor else Person(claimed, visitor)

    async def _claim(self, visitor: str, name: str | None) -> Here:
        """The name of a visitor who is not here, at all processes if Redis answers. Raises RefusedMessage."""
        key = name_key(name or "")
        is_reserved = is_guest(key)
        if self._elsewhere:
            with suppress(Unreachable):
                if claimed := await self._elsewhere.claim(visitor, name or "", key, is_reserved=is_reserved):
                    return claimed
                raise RefusedMessage((NAME_RESERVED if is_reserved else NAME_TAKEN).format(name))
        if is_reserved:
            raise RefusedMessage(NAME_RESERVED.format(name))
        return Here(name or self._people.guest_name(), int(time.time() * 1000))

    async def _hear(self, sid: str, *sent: object) -> object:
        """A client says something; the acknowledgement."""
        person = self._tabs.get(sid)
        if person is None or self._draining:  # then it is not acknowledged, and the client says it again
            return self.sockets.server.not_handled
        given: Mapping[str, Any] = (
            sent[0] if sent and isinstance(sent[0], dict) else {"text": sent[0] if sent else None}
        )
        own_id = None
        patience = self._patience[sid]
        try:
            try:
                own_id = message_id(given)
            finally:  # what cannot be read counts, too
                await patience.count_asked()
            return {"number": await self._say(person, read_message(given))}
        except RefusedMessage as refused:
            again = {"retry_after": refused.retry_after} if isinstance(refused, NotNow) else {}
            await self.sockets.send([sid], event_packet("refused", {"text": str(refused), "id": own_id, **again}))
            if patience.lost:
                self.sockets.end(sid, POLICY_VIOLATION)
            return {"error": str(refused), **again}

    async def _say(self, person: Person, message: Message) -> int:
        """The number of the message, when it is kept and told. Raises RefusedMessage."""
        key = (person.visitor, message.id or "")
        for said in self._messages if message.id else ():
            if (said.visitor, said.message_id) == key:
                return said.number
        done = self._under_way.get(key) if message.id else None
        if done is None:
            self._check_room(message.text)
            self._metrics.messages["room"].inc()
            done = asyncio.get_running_loop().create_future()
            if message.id:
                self._under_way[key] = done
                done.add_done_callback(lambda _: self._under_way.pop(key))
            said = Said(0, person.visitor, person.name, message.id, message.text, time.time())
            self._events.put_nowait(_Saying(said, done))
        result = await asyncio.shield(done)
        if isinstance(result, str):
            raise RefusedMessage(result)
        return result

    def _check_room(self, text: str) -> None:
        if self._events.qsize() >= MOST_WAITING:
            raise in_a_moment(CROWDED)
        if asks_diego(text):
            self._threads.check_room()
            if self._mentions.qsize() >= MOST_MENTIONS:
                raise in_a_moment(MANY_MENTIONS)

    async def _type(self, sid: str, *_: object) -> None:
        person = self._tabs.get(sid)
        if person and not self._typing.seconds_left(person.name) and not self._all_typing.seconds_left(ROOM):
            self._typing.take(person.name)
            self._all_typing.take(ROOM)
            await self._tell_others(person, "typing")
            if self._elsewhere:
                await self._elsewhere.tell_typing(person.name)

    async def _speak(self) -> None:
        """Keep and tell what comes, as long as this runs."""
        while True:
            events = [await self._events.get()]
            # What is kept after somebody was forgotten is not to be shown before it is told.
            while len(events) < MOST_AT_ONCE and not self._events.empty() and not isinstance(events[-1], _Forgetting):
                events.append(self._events.get_nowait())
            results = iter(await self._keep([event.said for event in events if isinstance(event, _Saying)]))
            for event in events:
                try:
                    await self._tell(event, results)
                except Exception:
                    logger.exception("The room could not be told of something.")
                self._events.task_done()
            if self._elsewhere and not all(isinstance(event, _Hearing) for event in events):
                await self._elsewhere.tell()

    async def _keep(self, messages: list[Said]) -> list[Said | str]:
        """What was said as it is kept, or a sentence that says why it is not; and all that is new is to be told."""
        if not messages and not self._elsewhere:
            return []
        try:
            kept, self._news = await self._threads.run(self._kept_and_new, messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, the room goes on
            if messages:
                log_failure(logger, "What was said in the room could not be kept, and so was not told.", error)
            return [APOLOGY] * len(messages)
        return [said or FORGOTTEN for said in kept]

    def _kept_and_new(self, messages: list[Said]) -> tuple[list[Said | None], deque[Said]]:
        kept = self._diary.room.keep(messages) if messages else []
        if self._elsewhere:
            return kept, deque(self._diary.room.after(self._number))
        return kept, deque(said for said in kept if said and said.number > self._number)

    async def _tell(self, event: _Event, results: "Iterable[Said | str]") -> None:
        if isinstance(event, _Saying):
            await self._tell_said(next(iter(results)), event.done)
        elif isinstance(event, _Joining):
            await self._tell_joined(event.sid, event.person)
        elif isinstance(event, _Leaving):
            person = self._told.pop(event.sid, None)
            if person and not self._is_told_of(person):
                await self._tell_all("left", {"name": person.name})
        elif isinstance(event, _Forgetting):
            await self._forget(event.done)
        else:
            self._is_hearing = False
            await self._tell_news()
            await self._tell_who_is_elsewhere()

    async def _tell_said(self, result: Said | str, done: "asyncio.Future[int | str]") -> None:
        try:
            if isinstance(result, Said):
                is_new = result.number > self._number
                if is_new and result.answers is None and asks_diego(result.text):
                    self._mentions.put_nowait(result)
                await self._tell_news(result.number)
        finally:
            done.set_result(result.number if isinstance(result, Said) else result)

    async def _tell_news(self, until: int | None = None) -> None:
        """Tell what was said, here and elsewhere, up to that number."""
        while self._news and (until is None or self._news[0].number <= until):
            said = self._news.popleft()
            if said.number <= self._number:
                continue  # it was said again
            self._number = said.number
            self._messages.append(said)
            self._history = None
            await self._tell_all("response", message_fields(said))

    async def _tell_who_is_elsewhere(self) -> None:
        """Tell who has come and left at other processes."""
        people = await self._elsewhere.people() if self._elsewhere else None
        if people is None:
            return
        before, self._others = self._others, people
        here = {name_key(person.name) for person in self._told.values()}
        for key in people.keys() - before.keys() - here:
            await self._tell_all("joined", {"name": people[key].name})
        for key in before.keys() - people.keys() - here:
            await self._tell_all("left", {"name": before[key].name})

    def _is_told_of(self, person: Person) -> bool:
        """Whether everybody knows that somebody is here, by another tab."""
        return person in self._told.values() or name_key(person.name) in self._others

    def _heard(self) -> None:
        if not self._is_hearing:
            self._is_hearing = True
            self._events.put_nowait(_Hearing())

    def _type_elsewhere(self, name: str) -> None:
        typing = asyncio.create_task(self._tell_all("typing", {"name": name}))
        self._typings.add(typing)
        typing.add_done_callback(self._typings.discard)

    async def _tell_joined(self, sid: str, person: Person) -> None:
        is_new = not self._is_told_of(person)
        self._told[sid] = person
        here = {name_key(person.name): person.here for person in self._told.values()}
        since = sorted({**self._others, **here}.values(), key=lambda one: one.since)
        people = [DIEGO, *(one.name for one in since)]
        await self.sockets.send([sid], event_packet("welcome", {"name": person.name, "people": people}))
        await self.sockets.send([sid], self._history_packet())
        if is_new:
            await self._tell_others(person, "joined")

    async def _tell_all(self, event: str, data: Mapping[str, Any]) -> None:
        await self.sockets.send(self._told, event_packet(event, data))

    async def _tell_others(self, person: Person, event: str) -> None:
        others = [sid for sid, other in self._told.items() if other is not person]
        await self.sockets.send(others, event_packet(event, {"name": person.name}))

    def _history_packet(self) -> Packet:
        if self._history is None:
            self._history = event_packet("history", {"messages": [*map(message_fields, self._messages)]})
        return self._history

    async def _answer(self) -> None:
        """Answer those who mention Diego, one after the other, as long as this runs."""
        while True:
            asked = await self._mentions.get()
            try:
                await self._tell_all("typing", {"name": DIEGO})
                if self._elsewhere:
                    await self._elsewhere.tell_typing(DIEGO)
                text = await self._reply(prompt_for_diego(asked.text))
            except Exception:
                logger.exception("Diego could not answer in the room.")
                text = APOLOGY
            done: asyncio.Future[int | str] = asyncio.get_running_loop().create_future()
            answer = Said(0, asked.visitor, DIEGO, None, text, time.time(), asked.number)
            self._events.put_nowait(_Saying(answer, done))
            await done
            self._mentions.task_done()

    async def _reply(self, prompt: str) -> str:
        if not prompt:
            return BLANK
        if self._leaving.is_set():
            return LEAVING
        replying = self._threads.told(tell_reply, self._chatbot, prompt)
        leaving = asyncio.ensure_future(self._leaving.wait())
        await asyncio.wait((replying, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not replying.done():
            replying.cancel()
            return LEAVING
        reply = replying.result()
        self._metrics.replies[reply.kind if reply else "error"].inc()
        if reply is None:
            return APOLOGY
        long = len(reply.text) > MOST_REPLY_CHARACTERS
        return f"{reply.text[:MOST_REPLY_CHARACTERS]} …" if long else reply.text

    def _known(self) -> tuple[int, str | None]:
        """What changes when somebody is forgotten or a backup restored."""
        return self._diary.forgotten.count(), self._diary.mark()

    async def _watch(self, known: tuple[int, str | None]) -> None:
        """Forget whom this process or another has had forgotten, as long as this runs."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._elsewhere:
                self._heard()  # a process may have ended, and a bell may not have been heard
            now = await self._threads.run(self._known)
            if now != known:
                done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._events.put_nowait(_Forgetting(done))
                await done
            known = now

    async def _forget(self, done: "asyncio.Future[None]") -> None:
        """Show what is still kept, if it is not what was, and end the connections of forgotten visitors."""
        visitors = {person.visitor for person in self._people.values()}
        try:
            gone = await self._threads.run(self._forgotten_of, visitors)
            left = await self._threads.run(self._diary.room.last)
        except Exception as error:  # noqa: BLE001 - it is raised, and logged, where it is waited for
            done.set_exception(error)
            return
        done.set_result(None)
        if left != [*self._messages]:
            self._messages = deque(left, MOST_KEPT)
            self._history = None
            await self.sockets.send(self._told, self._history_packet())
        for sid in [sid for sid, person in self._tabs.items() if person.visitor in gone]:
            await self.sockets.server.disconnect(sid)

    def _forgotten_of(self, visitors: Iterable[str]) -> set[str]:
        return {visitor for visitor in visitors if visitor in self._diary.forgotten}


def tell_reply(chatbot: Chatbot, prompt: str, told: Told[Answer | None]) -> None:
    """Tell what Diego replies in the room."""
    told.tell(reply_to(chatbot, prompt, ROOM))


async def polling(  # noqa: PLR0913, PLR0917 - as above
    request: Request,
    session_place: ExitStack,
    room: Room,
    visitor_id: str,
    visitor_headers: dict[str, str],
    count_asked: CountAsked,
) -> ASGIApp:
    """The answer to a client that polls."""
    about = {"visitor": visitor_id, "count_asked": count_asked}
    return await room.sockets.polling(request, about, visitor_headers, session_place)


async def web_socket(
    ws: WebSocket, room: Room, admitted_id: str, visitor_headers: dict[str, str], count_asked: CountAsked
) -> None:
    """A client over a WebSocket."""
    await room.sockets.web_socket(ws, {"visitor": admitted_id, "count_asked": count_asked}, visitor_headers)


def read_message(given: Mapping[str, Any]) -> Message:
    """What a client says. Raises RefusedMessage."""
    text = given.get("text")
    if not isinstance(text, str):
        raise RefusedMessage(NO_MESSAGE)
    return Message(read_prompt(text), message_id(given))


def message_fields(said: Said) -> dict[str, Any]:
    """What clients are told of a message."""
    return {
        "number": said.number,
        "id": said.message_id,
        "name": said.name,
        "text": said.text,
        "said_at": said.said_at,
        "answers": said.answers,
    }
