"""Diego: ChatterBot's ChatBot, with what makes it fit for a server."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from subprocess import Popen
from typing import Any

from chatterbot import ChatBot
from chatterbot.adapters import Adapter
from chatterbot.conversation import Statement, StatementMixin
from chatterbot.logic import LogicAdapter
from chatterbot.utils import validate_adapter_class

from chatbot import SetupError
from chatbot.bot.backup import complete
from chatbot.bot.cache import cached_knowledge, knowledge_of, work_out_elsewhere
from chatbot.bot.database import DatabaseUnavailable, StorageError
from chatbot.bot.diary import Diary
from chatbot.bot.formats import Pair
from chatbot.bot.knowledge import Found, Knowledge
from chatbot.bot.memory import Memory
from chatbot.bot.receipts import Evidence, Receipt
from chatbot.bot.room import ROOM
from chatbot.bot.training import train
from chatbot.bot.unknown import unknown
from chatbot.bot.words import WordTagger, key
from chatbot.settings import Settings

logger = logging.getLogger(__name__)

# ChatterBot logs at INFO what people say, escape characters included.
logging.getLogger("chatterbot").setLevel(logging.WARNING)

WATCH_SECONDS = 1.0
"""How often Diego looks whether somebody has trained him, or has begun to restore a backup and was stopped."""

CLOSE_SECONDS = 0.5
"""How long closing him waits for that to end."""

MOST_ANSWERS = 1000
"""How many new answers he knows before they are worked out."""


SEVERAL = 3
"""With how many messages an adapter hangs before it is passed over for everybody."""


class Reply(Statement):
    """What Diego says, with the reason."""

    receipt: Receipt


class KnownPrompt(LogicAdapter):
    """Answers with a reply to the same prompt, the nearest or one of the same topic; the confidence is a probability.

    The chatbot's `answers`, `knowledge`, `memory` and `threshold` are used. Below the threshold the confidence is 0.
    """

    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        """Reply to a statement; `in_response_to` is what was said before it."""
        knowledge: Knowledge = self.chatbot.knowledge
        before = statement.in_response_to or ""
        if answer := self.chatbot.answers.get(statement.search_text):
            evidence = Evidence(answer.prompt, answer.source, answer.line, 1.0)
            return _reply(answer.reply, Receipt("known", "the same prompt", "KnownPrompt", 1.0, evidence))
        found = knowledge.find(statement.text, statement.search_text, before)
        first, second, *_ = [*(_evidence(knowledge, one) for one in found[:2]), None, None]
        if not first or first.confidence < self.chatbot.threshold:
            return _reply("", Receipt("unknown", "nothing known is near enough", "KnownPrompt", 0.0, runner_up=first))
        replies = knowledge.index.replies_to(found[0].prompt, before)
        text = self.chatbot.memory.choose(statement.conversation, replies)
        return _reply(text, Receipt("known", found[0].how, "KnownPrompt", found[0].probability, first, second))


def _evidence(knowledge: Knowledge, found: Found) -> Evidence:
    index = knowledge.index
    source = index.sources[int(index.prompt_source[found.prompt])]
    return Evidence(index.prompts[found.prompt], source, int(index.prompt_line[found.prompt]), found.probability)


def _reply(text: str, receipt: Receipt) -> Reply:
    reply = Reply(text)
    reply.confidence = receipt.confidence
    reply.receipt = receipt
    return reply


class _Call:
    """A message that a thread is about to answer, and the adapter that is asked."""

    def __init__(self, conversation: str, text: str) -> None:
        self.conversation = conversation
        self.text = text
        self.adapter: LogicAdapter | None = None
        self.began = time.monotonic()


class Diego(ChatBot):
    """A chatbot that knows its corpora and what each visitor taught it, and says so when it does not know.

    Making one trains it if need be. `count_clients` says how many people he talks to, `diary` what was said before.
    Raises SetupError. Threads may share it. What `python -m chatbot` teaches him meanwhile he knows within two seconds.

    Nothing can stop an adapter that hangs. Whoever asks again in another thread gets a reply without it, and while
    several hang in it, everybody does.
    """

    def __init__(
        self, settings: Settings, count_clients: Callable[[], int | None] = lambda: 1, diary: Diary | None = None
    ) -> None:
        _check_skills(settings.skills)
        super().__init__(
            "Diego",
            storage_adapter="chatbot.bot.storage.KnowledgeStorage",
            database_uri=settings.database_url,
            logic_adapters=[
                "chatbot.bot.taught.Taught",
                "chatbot.bot.personal.Personal",
                *settings.skills,
                "chatbot.bot.diego.KnownPrompt",
            ],
            tagger=WordTagger,
            read_only=True,
        )
        self.count_clients = count_clients
        self.diary = diary
        self.memory = Memory(diary.turns.last_replies) if diary else Memory()
        if diary:
            diary.turns.on_keep.append(self.memory.note)
            diary.on_come.append(self.memory.last)
            diary.on_stale.append(self.memory.forget)
            diary.on_forget.append(self.memory.forget)
            diary.on_restore.append(self.memory.forget_all)
        self._default_responses = settings.default_responses
        self._threshold = settings.threshold
        self._reply_seconds = settings.reply_seconds
        self._calls: dict[int, _Call] = {}  # by their threads, in order
        self._hanging: frozenset[LogicAdapter] = frozenset()
        self._settings = settings
        self._closing = threading.Event()
        self._worker: Popen[bytes] | None = None
        self._worked_out = self._seen = 0
        try:
            train(self.storage, settings.corpora)
            self._version = self.storage.version()
            self.knowledge = knowledge_of(self.storage)
            self.answers = self._new_answers()
        except BaseException:
            self.storage.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name="knowledge", daemon=True)
        self._watcher.start()

    @property
    def threshold(self) -> float:
        """The confidence below which he says that he does not know."""
        return self.knowledge.threshold if self._threshold is None else self._threshold

    def get_response(self, statement: Statement | str | dict[str, Any] | None = None, **kwargs: Any) -> Reply:
        """The reply to a statement, as ChatterBot's, with a receipt."""
        given = {**kwargs, **_given(statement)}
        conversation = given["conversation"] = given.get("conversation") or self.default_conversation
        last = self.memory.last(conversation)
        if given.get("in_response_to") is None:
            # ChatterBot would load the whole conversation to find out what came before, and then work out its key.
            given["in_response_to"] = given["search_in_response_to"] = last
        reply: Reply = super().get_response(**given)
        if not self.diary or conversation == ROOM:  # else what counts as said is what is kept there
            self.memory.note(conversation, reply.text)
        return reply

    def generate_response(self, input_statement: Statement, parameters: dict[str, Any] | None = None) -> Reply:
        """The most confident adapter's reply, the first of equals; if none is confident, that he does not know.

        An adapter that raises an error or hangs is passed over.
        """
        thread = threading.get_ident()
        within = self._calls.get(thread)  # an adapter may ask for the reply to a part of a message
        call = within or _Call(input_statement.conversation, input_statement.text)
        passed_over = self._passed_over(call)
        self._calls[thread] = call
        try:
            return self._generate(call, passed_over, input_statement, parameters)
        finally:
            if within is None:
                del self._calls[thread]

    def _generate(
        self,
        call: _Call,
        passed_over: Collection[LogicAdapter],
        input_statement: Statement,
        parameters: dict[str, Any] | None,
    ) -> Reply:
        started = time.perf_counter()
        best: Reply | None = None
        for adapter in self.logic_adapters:
            if adapter in passed_over:
                continue
            call.adapter = adapter
            output = _process(adapter, input_statement, parameters)
            if output is not None and (best is None or output.confidence > best.confidence):
                best = output
                if best.confidence >= 1:
                    break
        reply = best or _reply("", Receipt("unknown", "no adapter replied", "", 0.0))
        if reply.confidence <= 0:
            sentences = self._default_responses or unknown(reply.receipt)
            reply.text = self.memory.choose(input_statement.conversation, sentences)
        reply.in_response_to = input_statement.text
        reply.conversation = input_statement.conversation
        reply.persona = f"bot:{self.name}"
        reply.receipt = reply.receipt._replace(seconds=time.perf_counter() - started)
        return reply

    def _passed_over(self, call: _Call) -> Collection[LogicAdapter]:
        """The adapters that are not asked, because they hang: for this message, or for several."""
        calls = [*self._calls.values()]
        now = time.monotonic()
        if not self._hanging and (not calls or now - calls[0].began < self._reply_seconds / 2):
            return ()
        # Who asks again is not to be taken for somebody else because the clocks differ.
        slow = [other for other in calls if other is not call and now - other.began > self._reply_seconds / 2]
        same = {other.adapter for other in slow if (other.conversation, other.text) == (call.conversation, call.text)}
        late = Counter(other.adapter for other in slow if now - other.began > self._reply_seconds)
        hanging = frozenset(adapter for adapter, count in late.items() if adapter and count >= SEVERAL)
        self._tell_of(hanging)
        return {adapter for adapter in (*hanging, *same) if adapter}

    def _tell_of(self, hanging: frozenset[LogicAdapter]) -> None:
        before, self._hanging = self._hanging, hanging
        for adapter in hanging - before:
            logger.error(
                "The adapter %s has hung for more than %g s with %s messages, and is passed over until it is back.",
                *(adapter.class_name, self._reply_seconds, SEVERAL),
            )
        for adapter in before - hanging:
            logger.warning("The adapter %s is back and asked again.", adapter.class_name)

    def close(self) -> None:
        """Close the database. While new knowledge is worked out, which may take long, it stays open."""
        self._closing.set()
        self._watcher.join(CLOSE_SECONDS)
        if not self._watcher.is_alive():
            self.storage.close()

    def _watch(self) -> None:
        told = ""
        while not self._closing.wait(WATCH_SECONDS):
            try:
                complete(self._settings, wait=False)
                version = self.storage.version()
                if version != self._version:
                    self._take_over(version)
                told = ""
            except BlockingIOError:
                continue  # whoever trains or restores him does all of it
            except Exception as error:  # noqa: BLE001 - whatever it is, it may be over the next time
                problem = str(error) if isinstance(error, StorageError) else repr(error)
                if problem != told:
                    logger.warning("New knowledge cannot be taken over; this is tried again. %s", problem)
                told = problem
        if self._worker:
            self._worker.kill()
            self._worker.wait()

    def _take_over(self, version: int) -> None:
        """Know what was trained: the answers of an operator at once, the rest as soon as it is worked out."""
        if version != self._seen:
            self.answers = self._new_answers()
            self._seen = version
        knowledge = cached_knowledge(self.storage)
        if knowledge is None:
            if self._worker is None or (self._worker.poll() is not None and version != self._worked_out):
                self._worker, self._worked_out = work_out_elsewhere(self.storage), version
            if self._worker.poll() is None:
                return
            knowledge = knowledge_of(self.storage, wait=False)  # there can be no cache, or something failed
        self.knowledge, self._version = knowledge, version
        self.answers = self._new_answers()
        logger.info("Diego has been trained; prompts that he knows: %s.", f"{len(self.knowledge.index):,}")

    def _new_answers(self) -> dict[str, Pair]:
        """What an operator has answered or approved and is not worked out yet, by the keys of the prompts."""
        taught = self.storage.taught(MOST_ANSWERS)
        return {key(pair.prompt): pair for pair in taught if not self.knowledge.says(pair)}


def _given(statement: Statement | str | dict[str, Any] | None) -> dict[str, Any]:
    """What is known of a statement, in ChatterBot's names."""
    if isinstance(statement, str):
        return {"text": statement}
    fields = statement.serialize() if isinstance(statement, StatementMixin) else statement or {}
    return {name: value for name, value in fields.items() if value or name == "text"}


def _check_skills(paths: tuple[str, ...]) -> None:
    """Raises SetupError for what is no logic adapter; ChatterBot's own errors are not for those who set it."""
    for path in paths:
        try:
            validate_adapter_class(path, LogicAdapter)
        except (Adapter.InvalidAdapterTypeException, ImportError, AttributeError, TypeError, ValueError) as error:
            raise SetupError(
                f"DIEGO_SKILLS names {path}, but that is no ChatterBot logic adapter ({error}). Give the import path "
                "of a class, like my_skills.Dice; its file must be in this folder or installed."
            ) from None


def _process(adapter: LogicAdapter, statement: Statement, parameters: dict[str, Any] | None) -> Reply | None:
    """What an adapter replies, with a receipt; None if it is not concerned or fails."""
    try:
        if not adapter.can_process(statement):
            return None
        output = adapter.process(statement, parameters)
        if isinstance(output, Reply):
            return output
        if not output.confidence > 0:
            return None
        reply = _reply(output.text, Receipt("skill", "worked out", adapter.class_name, float(output.confidence)))
        reply.add_tags(*output.get_tags())
    except DatabaseUnavailable:
        raise  # what it would have said is not for another to guess
    except (Exception, SystemExit):  # the latter is what sys.exit() in somebody's adapter raises
        logger.exception("The adapter %s failed and was passed over.", adapter.class_name)
        return None
    return reply
