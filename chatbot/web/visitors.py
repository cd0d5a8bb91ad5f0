"""The visitors who are here: each has one conversation with Diego, in as many tabs as they like."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, Protocol
from weakref import WeakValueDictionary, proxy

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from starlette.websockets import WebSocketDisconnect

from chatbot.bot.database import DatabaseUnavailable, log_failure
from chatbot.bot.diary import Diary
from chatbot.bot.receipts import Kind, Receipt, explained
from chatbot.bot.turns import NO_LIMIT, Turn, Turns
from chatbot.messages import APOLOGY, NotNow, RefusedMessage
from chatbot.shared.calls import Calls
from chatbot.web.commands import carry_out, read_command
from chatbot.web.elsewhere import CHANGE, Elsewhere
from chatbot.web.logs import TURN
from chatbot.web.metrics import Metrics
from chatbot.web.tab import Tab
from chatbot.web.threads import Threads, Told
from chatbot.web.wire import (
    MOST_TURNS,
    Asked,
    Command,
    Event,
    HistoryRequest,
    Message,
    error_event,
    history_event,
    reply_event,
)

logger = logging.getLogger(__name__)

NORMAL_CLOSURE = 1000

UNKNOWN = 0
"""As the number of a turn: that is looked up in the thread in which the reply is worked out."""

AT_ONCE = 200
"""Of how many visitors it is looked up together what was said to them."""

MOST_ATTEMPTS = 100
"""How often a message is answered anew that was overtaken by one at another process."""

WATCH_SECONDS = 1.0
"""How often it is looked up whether an operator has had visitors forgotten, or has restored a backup."""

LEFT = "The tab in which this was said has been closed before there was a reply."


class Chatbot(Protocol):
    """What Diego has in common with an echo in his place."""

    def get_response(self, prompt: str, /, *, conversation: str) -> object:
        """The reply, as anything that `str()` makes a text of. It runs in a thread and may take its time.

        What has a `receipt` says with it how sure it is and why.
        """


class Answer(NamedTuple):
    """What a chatbot replies, how sure it is, why, and of what kind the reply is."""

    text: str
    confidence: float
    why: str
    kind: Kind


class Answered(NamedTuple):
    """A turn, and when working it out has begun and ended, by the `perf_counter`."""

    turn: Turn
    begun: float
    ended: float


class Visitor:
    """A visitor's conversation, one message at a time; every tab is told of every turn, in the same order."""

    def __init__(
        self, visitor_id: str, threads: Threads, diary: Diary, metrics: Metrics, calls: Calls | None = None
    ) -> None:
        self.id = visitor_id
        self._threads = threads
        self._diary = diary
        self._metrics = metrics
        # Not itself: who has left is to be gone at once, and not when somebody looks for garbage.
        self._elsewhere = Elsewhere(calls, visitor_id, proxy(self)) if calls else None
        self._heard = 0
        self._hearing: asyncio.Task[None] | None = None
        self._showing: set[asyncio.Task[None]] = set()
        self._tabs: set[Tab] = set()
        self._under_way = asyncio.Lock()
        self._last: int | None = None
        self._shown: int | None = None
        """The number of the last turn that the tabs have been shown."""
        self._forgotten = False

    @asynccontextmanager
    async def at(self, tab: Tab) -> AsyncIterator[None]:
        """Accept the tab and show it what it has missed; while the block lasts it sees what happens in the others."""
        async with self._elsewhere.heard() if self._elsewhere else nullcontext():
            if self._elsewhere and self._shown is None:  # before it is open: it is to see all that is said from then on
                self._shown = await self._threads.run(self._diary.turns.last_number, self.id)
            await tab.accept()
            await self._show_before(tab)
            try:
                await self._come()
                yield
            finally:
                self._tabs.discard(tab)
                await self.leave_if_forgotten()  # what was said here may have been written after that

    async def _show_before(self, tab: Tab) -> None:
        """Show the tab what it has missed, and from then on what the others see."""
        if not tab.rich or tab.seen is None:
            self._tabs.add(tab)
            return
        seen = await self._catch_up(tab, tab.seen)  # which may take long, and nobody waits for it
        await self._begin(tab)
        try:
            seen = await self._catch_up(tab, seen)
            while self._elsewhere and seen < await self._show_missed():
                seen = await self._catch_up(tab, seen)
            if self._shown is None:
                self._shown = seen
            self._tabs.add(tab)
        finally:
            self._under_way.release()

    async def _come(self) -> None:
        if self._elsewhere and len(self._tabs) == 1:
            await self._threads.run(self._diary.read_anew, self.id)
        newcomer = await self._threads.run(self._diary.come, self.id)
        if self._forgotten or newcomer.is_forgotten:  # since the cookie was read, or he is still leaving
            self._say_goodbye()
        elif self._last is None:  # else there were turns meanwhile
            self._last = newcomer.last_number
            if self._shown is None:
                self._shown = self._last

    async def ask(self, chatbot: Chatbot, asked: Asked, tab: Tab) -> None:
        """Tell the tab what it asked for, and the visitor's others too. Raises WebSocketDisconnect if it has left."""
        await self._begin(tab)
        try:
            if self._forgotten:
                return  # the tab is about to be closed
            if isinstance(asked, Command):
                await self._obey(asked, tab)
            elif isinstance(asked, HistoryRequest):
                await tab.send(await self.history(asked))
            else:
                await self._take(chatbot, asked, tab)
        except NotNow as not_now:
            await tab.send(error_event(not_now, asked if isinstance(asked, Message) else None))
        except SQLAlchemyError as error:
            log_failure(logger, "The database failed, so a message had no reply.", error)
            self._last = None  # whether the turn was written is not known
            self._metrics.replies["error"].inc()
            await self._show(error_event(APOLOGY, asked if isinstance(asked, Message) else None), tab)
        finally:
            TURN.set(None)
            self._under_way.release()

    async def _take(self, chatbot: Chatbot, message: Message, tab: Tab) -> None:
        taken = perf_counter()
        try:
            command = read_command(message)
        except RefusedMessage as refused:
            await tab.send(error_event(refused, message))
            return
        if command:
            await self._obey(command, tab)
            return
        self._threads.check_room()
        if message.id and (answered := await self._threads.run(self._diary.turns.find, self.id, message.id)):
            await tab.send(reply_event(answered))
        else:
            await self._answer(chatbot, message, tab, taken)

    async def do(self, command: Command) -> Event:
        """Carry out what was asked for in no tab, after the turn under way. Raises RefusedMessage."""
        async with self._under_way:
            return await self._do(command)

    async def _obey(self, command: Command, tab: Tab) -> None:
        try:
            event = await self._do(command)
        except RefusedMessage as refused:
            event = error_event(refused, command)
        except SQLAlchemyError as error:
            log_failure(logger, f"The command /{command.name} failed.", error)
            event = error_event(APOLOGY, command)
        await tab.send(event)

    async def _do(self, command: Command) -> Event:
        call = self._threads.offer if command.name == "export" else self._threads.run
        event = await call(carry_out, self._diary, self.id, command)
        if event.type == "forgotten":
            self._say_goodbye()
        if self._elsewhere and event.type in ("forgotten", "taught", "untaught"):
            await self._elsewhere.tell_change()
        return event

    async def leave_if_forgotten(self) -> None:
        """Say goodbye if another process has had the visitor forgotten, and erase what was said since."""
        if await self.is_to_leave():
            await self.erase()

    async def is_to_leave(self) -> bool:
        """Whether another process has had the visitor forgotten, who is then told goodbye; `erase` is to follow."""
        if self._forgotten or not await self._threads.run(self._diary.forgotten.__contains__, self.id):
            return False
        self._say_goodbye()
        return True

    async def erase(self) -> None:
        """Erase what was said since the visitor was forgotten, after the turn under way."""
        try:
            async with self._under_way:
                await self._threads.run(self._diary.forget, self.id)
        except SQLAlchemyError as error:
            log_failure(logger, "What was said after a visitor was forgotten could not be erased.", error)

    def _say_goodbye(self) -> None:
        """End all tabs. The cookie can only be taken away when they come again, which gives them a new number."""
        self._forgotten = True
        for tab in self._tabs:
            tab.end(NORMAL_CLOSURE, "Diego has forgotten you. Connect again to begin anew.")

    def start_over(self) -> None:
        """A backup was restored: have all tabs come again, and see what is true now."""
        self._last = None
        for tab in self._tabs:
            tab.drain()

    async def history(self, asked: HistoryRequest) -> Event:
        """A page of the turns."""
        turns = await self._threads.offer(self._diary.turns.before, self.id, asked.before, asked.limit + 1)
        page = turns[-asked.limit :]
        return history_event(page, page[0].number if len(turns) > len(page) else None)

    async def _begin(self, tab: Tab) -> None:
        """Wait for what is under way, maybe in another tab. Raises WebSocketDisconnect if this one leaves before."""
        acquiring = self._under_way.acquire()
        if self._under_way.locked():
            await tab.unless_left(asyncio.ensure_future(acquiring))
        else:
            await acquiring  # which takes no time

    async def _answer(self, chatbot: Chatbot, message: Message, tab: Tab, taken: float) -> None:
        self._metrics.messages["chat"].inc()
        await self._show(Event("typing", {"id": message.id, "prompt": message.text}))
        begun = perf_counter()
        try:
            answered = await self._answered(chatbot, message, tab)
        except NotNow as not_now:
            await self._show(error_event(not_now, message), tab)
            return
        except WebSocketDisconnect:
            await self._show(error_event(LEFT, message))
            raise
        except IntegrityError:
            if found := await self._answered_elsewhere(message):
                if not tab.rich or await self._show_missed() < found.number:
                    await tab.send(reply_event(found))
                return
            raise
        if answered is None:
            self._metrics.replies["error"].inc()
            await self._show(error_event(APOLOGY, message), tab)
            return
        turn = answered.turn
        if self._shown is not None and turn.number > self._shown + 1:
            await self._show_missed(turn.number)
        self._last = self._shown = turn.number
        TURN.set(turn.number)
        logger.debug("Diego has replied; how he knows: %s.", turn.kind)
        self._metrics.note_reply(turn.kind, begun, answered.begun, answered.ended, perf_counter())
        await self._show(reply_event(turn), tab)
        self._metrics.reply_times.observe(perf_counter() - taken)

    async def _answered(self, chatbot: Chatbot, message: Message, tab: Tab) -> Answered | None:
        """The turn, when it is committed; None if the chatbot fails. Raises IntegrityError if it cannot be."""
        for attempt in range(MOST_ATTEMPTS):
            number = UNKNOWN if self._last is None else self._last + 1
            asked = Turn(self.id, number, message.id, message.text)
            TURN.set(number or None)
            try:
                return await tab.unless_left(self._threads.told(answer, chatbot, asked, self._diary.turns))
            except IntegrityError:
                last = await self._threads.run(self._diary.turns.last_number, self.id)
                is_next = number == last + 1  # so it was refused for something else
                if is_next or attempt == MOST_ATTEMPTS - 1 or await self._answered_elsewhere(message):
                    raise
                await self._threads.run(self._diary.read_anew, self.id)  # after the other turn this may be different
                self._last = last
        return None

    async def _answered_elsewhere(self, message: Message) -> Turn | None:
        """The turn of a message that a client said again here before another process had answered it."""
        if message.id is None:
            return None
        return await self._threads.run(self._diary.turns.find, self.id, message.id)

    async def ask_elsewhere(self) -> None:
        """Tell and hear anew who has tabs elsewhere, after Redis was gone."""
        if self._elsewhere and self._tabs:
            await self._elsewhere.ask()

    @property
    def last_number(self) -> int:
        """As of every host."""
        return self._last or 0

    def hear_turn(self, number: int) -> None:
        """As of every host."""
        if number > (self._shown or 0):
            self._heard = number
            if self._hearing is None or self._hearing.done():
                self._hearing = asyncio.create_task(self._show_heard())

    def leave_soon_if_forgotten(self) -> None:
        """As `leave_if_forgotten`, but whoever asks for it does not wait for the turn under way."""
        self._do_by_itself(self._leave())

    async def _leave(self) -> None:
        try:
            await self.leave_if_forgotten()
        except SQLAlchemyError as error:
            log_failure(logger, "Whether a visitor was forgotten could not be looked up.", error)

    def _do_by_itself(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    def hear_event(self, event: Event) -> None:
        """As of every host."""
        self._do_by_itself(self._show_here(event))

    async def _show_heard(self) -> None:
        heard = 0
        while heard < self._heard:
            heard = self._heard
            try:
                async with self._under_way:
                    await self._show_missed()
            except SQLAlchemyError as error:
                log_failure(logger, "What was said at another process could not be shown.", error)

    async def _show_missed(self, before: int = NO_LIMIT) -> int:
        """Show the tabs the turns of other processes that they have not seen; the number of the last."""
        while self._shown is not None:
            turns = await self._threads.run(self._diary.turns.after, self.id, self._shown, MOST_TURNS)
            turns = [turn for turn in turns if turn.number < before]
            if not turns:
                return self._shown
            await self._threads.run(self._diary.read_anew, self.id)
            for turn in turns:
                await self._show_here(reply_event(turn))
                self._last = self._shown = turn.number
        return 0

    async def _show(self, event: Event, asking: Tab | None = None) -> None:
        """Tell every tab, here and elsewhere, that understands events, and the one that asked in any case."""
        if self._elsewhere and event.type == "reply":
            # First, so that who reads it here and goes on there finds that it is known.
            await self._elsewhere.tell_turn(event.fields["seq"])
        elif self._elsewhere:
            await self._elsewhere.tell_event(event)
        await self._show_here(event, asking)

    async def _show_here(self, event: Event, asking: Tab | None = None) -> None:
        """Tell every tab that understands events, and the one that asked in any case: at once, so that none waits."""
        others = [tab for tab in self._tabs if tab.rich and tab is not asking]
        telling = asyncio.gather(*(self._tell(tab, event) for tab in others)) if others else None
        try:
            if asking:
                await asking.send(event)
        finally:
            if telling:
                await telling

    async def _tell(self, tab: Tab, event: Event) -> None:
        try:
            await tab.send(event)
        except WebSocketDisconnect:
            self._tabs.discard(tab)

    async def _catch_up(self, tab: Tab, seen: int) -> int:
        """Show the tab the turns after that number; the number of the last."""
        while turns := await self._threads.run(self._diary.turns.after, self.id, seen, MOST_TURNS):
            await tab.send(history_event(turns))
            seen = turns[-1].number
        return seen


class Visitors:
    """The visitors who have a tab open."""

    def __init__(self, threads: Threads, diary: Diary, metrics: Metrics, calls: Calls | None = None) -> None:
        self._threads = threads
        self._diary = diary
        self._metrics = metrics
        self._calls = calls
        self._here: WeakValueDictionary[str, Visitor] = WeakValueDictionary()
        self._erasing: set[asyncio.Task[None]] = set()
        self._catching_up: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Hear what goes on at other processes."""
        if self._calls:
            self._calls.link.on_up.append(self._bells_were_missed)
            await self._calls.serve(CHANGE, self._look_anew)

    async def _look_anew(self, visitor_id: str) -> None:
        """Another process has changed what is kept of a visitor, of whom something may be remembered without a tab."""
        if visitor := self._here.get(visitor_id):
            visitor.leave_soon_if_forgotten()
        await self._threads.run(self._diary.read_anew, visitor_id)

    def __len__(self) -> int:
        return len(self._here)

    def visitor(self, visitor_id: str) -> Visitor:
        """The one of that number, the same for all tabs."""
        visitor = self._here.get(visitor_id)
        if visitor is None:
            visitor = self._here[visitor_id] = Visitor(
                visitor_id, self._threads, self._diary, self._metrics, self._calls
            )
        return visitor

    def _bells_were_missed(self) -> None:
        self._catching_up = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """Show all who are here what was said to them elsewhere meanwhile."""
        visitors = [*self._here.values()]
        for start in range(0, len(visitors), AT_ONCE):
            some = visitors[start : start + AT_ONCE]
            for visitor in some:
                await visitor.ask_elsewhere()
            try:
                numbers = await self._threads.run(self._diary.turns.last_numbers, [visitor.id for visitor in some])
            except (SQLAlchemyError, NotNow) as error:
                log_failure(logger, "What was said at other processes could not be looked up.", error)
                return
            for visitor in some:
                visitor.hear_turn(numbers.get(visitor.id, 0))

    async def watch(self) -> None:
        """Say goodbye to those whom an operator has had forgotten, and notice a restore, as long as this runs."""
        looked_at = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if await self._threads.run(self._diary.notice_restore):
                logger.info("A backup was restored; all who are in a conversation are asked to come again.")
                for visitor in [*self._here.values()]:
                    visitor.start_over()
            forgotten = await self._threads.run(self._diary.forgotten.count)
            for visitor in [*self._here.values()] if forgotten != looked_at else ():
                if await visitor.is_to_leave():
                    # By itself: it waits for the reply under way, and the others are not to.
                    erasing = asyncio.create_task(visitor.erase())
                    self._erasing.add(erasing)
                    erasing.add_done_callback(self._erasing.discard)
            looked_at = forgotten


def answer(chatbot: Chatbot, asked: Turn, turns: Turns, told: Told[Answered | None]) -> None:
    """Tell of the turn, with the chatbot's reply, once it is committed; None if the chatbot fails.

    Its number is looked up if it is UNKNOWN.
    """
    begun = perf_counter()
    if asked.number == UNKNOWN:
        asked = asked._replace(number=turns.last_number(asked.visitor) + 1)
    TURN.set(asked.number)
    reply = reply_to(chatbot, asked.prompt, asked.visitor)
    if reply is None:
        told.tell(None)
    elif told.begin():
        text, confidence, why, kind = reply
        turn = asked._replace(reply=text, confidence=confidence, why=why, said_at=time.time(), kind=kind)
        turns.add(turn, partial(told.tell, Answered(turn, begun, perf_counter())))


def reply_to(chatbot: Chatbot, prompt: str, conversation: str) -> Answer | None:
    """The chatbot's reply; None if it fails, and the traceback goes to the log."""
    try:
        reply = chatbot.get_response(prompt, conversation=conversation)
        # A lone surrogate cannot be sent, and a NUL cannot be kept in PostgreSQL.
        text = str(reply).encode("utf-8", "replace").decode().replace("\0", "")
        receipt: Receipt | None = getattr(reply, "receipt", None)
        if receipt is None:  # it says nothing of having been trained, and so was worked out
            return Answer(text, 1.0, "", "skill")
        return Answer(text, receipt.confidence, "\n".join(explained(receipt)), receipt.kind)
    except DatabaseUnavailable:
        return None  # which is in the log
    except BaseException:  # an adapter that calls sys.exit() must not end the server
        logger.exception("The reply failed.")
        return None
