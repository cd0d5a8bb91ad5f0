import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from chatterbot.conversation import Statement
from chatterbot.logic import LogicAdapter

from chatbot import SetupError
from chatbot.bot.approval import answer
from chatbot.bot.cache import training
from chatbot.bot.corpora import CorpusError
from chatbot.bot.database import StorageError
from chatbot.bot.diary import Diary
from chatbot.bot.diego import Diego
from chatbot.bot.knowledge import Knowledge
from chatbot.bot.receipts import Evidence, Receipt
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import forget
from chatbot.settings import Settings
from tests.databases import execute, url_in
from tests.diaries import ANN, BOB, say
from tests.packaged import replies_in
from tests.processes import environment, wait_for

UNKNOWN = ("I don't know.", "No idea.")


def settings(folder: Path, corpora: tuple[str, ...] = ("chatterbot.corpus.english",), **others: Any) -> Settings:
    database = url_in(folder)
    return Settings(database_url=database, corpora=corpora, default_responses=UNKNOWN, **others)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diego")


@pytest.fixture(scope="module")
def diego(folder: Path) -> Iterator[Diego]:
    with closing(Diego(settings(folder))) as diego:
        yield diego


def says(diego: Diego, prompt: str, expected: tuple[str, ...]) -> bool:
    return str(diego.get_response(prompt)) in expected


def rows(folder: Path) -> int:
    ((count,),) = execute(url_in(folder), "SELECT count(*) FROM statement")
    return int(count)


def test_he_answers_a_known_prompt_with_one_of_its_replies(diego: Diego) -> None:
    known = replies_in("chatterbot.corpus.english.ai", "What is AI?")
    assert len(known) > 1
    assert {str(diego.get_response("what is ai", conversation="known")) for _ in range(200)} == known


def test_he_answers_what_is_nearly_a_known_prompt(diego: Diego) -> None:
    reply = diego.get_response("Hey, what is a computer?", conversation="nearly")
    assert str(reply) in replies_in("chatterbot.corpus.english.computers", "What is a computer?")
    assert 0 < reply.confidence < 1


@pytest.mark.parametrize("prompt", ["xyzzy", "Which wine goes with rabbit?", "😢", "' OR 1=1 --", "%"])
def test_he_says_when_he_does_not_know(diego: Diego, prompt: str) -> None:
    replies = [diego.get_response(prompt, conversation=prompt) for _ in range(50)]
    assert {str(reply) for reply in replies} == set(UNKNOWN)
    assert {reply.confidence for reply in replies} == {0}


def test_he_learns_nothing_from_strangers(diego: Diego, folder: Path) -> None:
    before = rows(folder)
    for said in ("The moon is made of cheese", "What is the moon made of?") * 3:
        diego.get_response(said, conversation="a stranger")
    assert rows(folder) == before
    assert "cheese" not in str(diego.get_response("What is the moon made of?"))


def test_he_is_a_chatterbot(diego: Diego) -> None:
    assert str(diego.get_response(Statement("xyzzy", conversation="an object"))) in UNKNOWN
    assert str(diego.get_response({"text": "xyzzy", "conversation": "a dict"})) in UNKNOWN
    assert diego.get_response("xyzzy", conversation="one").conversation == "one"


def test_threads_share_him(diego: Diego) -> None:
    prompts = ["What is AI?", "xyzzy"] * 200
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda prompt: str(diego.get_response(prompt, conversation=prompt)), prompts))
    known = replies_in("chatterbot.corpus.english.ai", "What is AI?")
    assert set(replies[::2]) <= known
    assert set(replies[1::2]) <= set(UNKNOWN)


def test_he_does_not_log_what_is_said(diego: Diego, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        diego.get_response("a secret", conversation="secret")
        diego.get_response("What is AI?", conversation="secret")
    assert [record for record in caplog.records if record.name.startswith("chatterbot")] == []


@pytest.mark.usefixtures("diego")
def test_a_second_start_adds_no_row(folder: Path) -> None:
    before = rows(folder)
    assert before == 4331
    Diego(settings(folder)).close()
    assert rows(folder) == before


def test_he_looks_nothing_up_in_the_database_to_reply(diego: Diego, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diego.storage, "Session", None)
    assert str(diego.get_response("xyzzy", conversation="a text")) in UNKNOWN
    assert str(diego.get_response(Statement("xyzzy", conversation="another"))) in UNKNOWN


@pytest.mark.parametrize("corpora", ["chatterbot.corpus.english.ai", "nowhere.yml"])
def test_his_database_is_closed_with_him_and_if_he_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpora: str
) -> None:
    closed = []

    def close(storage: KnowledgeStorage) -> None:
        closed.append(storage)

    monkeypatch.setattr(KnowledgeStorage, "close", close)
    if corpora == "nowhere.yml":
        with pytest.raises(CorpusError):
            Diego(settings(tmp_path, corpora=(corpora,)))
    else:
        diego = Diego(settings(tmp_path, corpora=(corpora,)))
        assert closed == []
        diego.close()
    assert len(closed) == 1


class Failing(LogicAdapter):  # type: ignore[misc]
    def process(self, _statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        raise RuntimeError("as asked for")


class Silent(LogicAdapter):  # type: ignore[misc]
    def process(self, _statement: Statement, _parameters: dict[str, Any] | None = None) -> None:
        return None


class Unsure(LogicAdapter):  # type: ignore[misc]
    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        reply = Statement("perhaps")
        reply.confidence = 0.5 if "perhaps" in statement.text else 0
        return reply


CSV = "text,reply\nHi,Hello\nWhat is AI?,A field\n2 + 2,Four\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[..., Diego]]:
    """Makes a Diego who knows three prompts."""
    file = tmp_path / "mine.csv"
    file.write_text(CSV)
    with ExitStack() as stack:
        yield lambda **others: stack.enter_context(closing(Diego(settings(tmp_path, (str(file),), **others))))


def test_a_receipt_says_why(small: Callable[..., Diego], tmp_path: Path) -> None:
    receipt = small().get_response("what is ai").receipt
    assert receipt._replace(seconds=0) == Receipt(
        "known", "the same prompt", "KnownPrompt", 1.0, Evidence("What is AI?", f"{tmp_path}/mine.csv", 3, 1.0)
    )
    assert receipt.seconds > 0


def test_a_receipt_says_of_what_kind_a_reply_is(small: Callable[..., Diego], tmp_path: Path) -> None:
    said = {
        "Hi": "known",
        "What's AI": "known",
        "2 + 2": "skill",
        "My name is Ann": "skill",
        "xyzzy": "unknown",
        "When I say ping, answer pong": "known",
        "ping": "known",
    }
    with closing(Diary(url_in(tmp_path, "visitors.db"))) as diary:
        diego = small()
        diego.diary = diary
        assert {text: diego.get_response(text, conversation="a" * 32).receipt.kind for text in said} == said


def test_a_receipt_says_what_was_not_near_enough(small: Callable[..., Diego]) -> None:
    receipt = small(threshold=1).get_response("what is a ai now").receipt
    assert (receipt.how, receipt.adapter, receipt.confidence) == ("nothing known is near enough", "KnownPrompt", 0)
    assert receipt.matched is None
    assert receipt.runner_up is not None
    assert receipt.runner_up.prompt == "What is AI?"


def test_skills_are_asked_first(small: Callable[..., Diego]) -> None:
    reply = small().get_response("2 + 2")
    assert "4" in reply.text
    assert (reply.receipt.adapter, reply.receipt.how, reply.confidence) == ("Arithmetic", "worked out", 1)
    assert str(small(skills=()).get_response("2 + 2")) == "Four"


class Exiting(LogicAdapter):  # type: ignore[misc]
    def process(self, _statement: Statement, _parameters: dict[str, Any] | None = None) -> None:
        sys.exit("as asked for")


class Hanging(LogicAdapter):  # type: ignore[misc]
    """Hangs with whatever begins with "hang", until it may go on."""

    def __init__(self, chatbot: Diego) -> None:
        super().__init__(chatbot)
        self.go = Event()
        self.asked: list[str] = []

    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        self.asked.append(statement.text)
        reply = Statement("asked")
        reply.confidence = 1 if not statement.text.startswith("hang") or self.go.wait(30) else 0
        return reply


@pytest.mark.parametrize("adapter", [Failing, Silent, Exiting])
def test_a_failing_adapter_is_passed_over(
    small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, adapter: type
) -> None:
    diego = small()
    monkeypatch.setattr(diego, "logic_adapters", [adapter(diego), *diego.logic_adapters])
    assert str(diego.get_response("Hi")) == "Hello"
    assert caplog.messages == [f"The adapter {adapter.__name__} failed and was passed over."]


def let_time_pass(diego: Diego) -> None:
    """As if all that is under way had begun earlier."""
    for call in diego._calls.values():  # noqa: SLF001
        call.began -= 10


def test_an_adapter_that_hangs_is_passed_over_by_who_asks_again_and_with_several_by_everybody(
    small: Callable[..., Diego], caplog: pytest.LogCaptureFixture
) -> None:
    diego = small()
    hanging = Hanging(diego)
    diego.logic_adapters.insert(0, hanging)
    with ThreadPoolExecutor() as pool:
        late = [pool.submit(diego.get_response, "hang", conversation=ANN)]
        wait_for(lambda: hanging.asked == ["hang"])
        let_time_pass(diego)
        assert diego.get_response("hang", conversation=ANN).text in UNKNOWN
        assert diego.get_response("Hi", conversation=ANN).text == "asked"
        late += [pool.submit(diego.get_response, text, conversation=ANN) for text in ("hang 2", "hang 3")]
        wait_for(lambda: {"hang 2", "hang 3"} <= {*hanging.asked})
        assert diego.get_response("Hi", conversation=BOB).text == "asked"
        let_time_pass(diego)
        assert diego.get_response("Hi", conversation=BOB).text == "Hello"
        assert len(hanging.asked) - hanging.asked.count("Hi") == 3
        hanging.go.set()
        assert [reply.result().text for reply in late] == ["asked"] * 3
        assert diego.get_response("Hi", conversation=BOB).text == "asked"
    assert caplog.messages == [
        "The adapter Hanging has hung for more than 5 s with 3 messages, and is passed over until it is back.",
        "The adapter Hanging is back and asked again.",
    ]


def test_an_adapter_that_is_not_confident_is_no_reason(
    small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch
) -> None:
    diego = small()
    monkeypatch.setattr(diego, "logic_adapters", [Unsure(diego), *diego.logic_adapters])
    assert diego.get_response("xyzzy").receipt.adapter == "KnownPrompt"
    assert str(diego.get_response("perhaps xyzzy")) == "perhaps"
    assert str(diego.get_response("Hi")) == "Hello"


def test_a_stock_logic_adapter_is_a_skill(small: Callable[..., Diego]) -> None:
    diego = small(skills=("chatterbot.logic.MathematicalEvaluation",))
    reply = diego.get_response("What is 5 * 5?")
    assert str(reply) == "5 * 5 = 25"
    assert reply.receipt.adapter == "MathematicalEvaluation"
    assert str(diego.get_response("Hi")) == "Hello"


def test_the_setting_of_the_threshold_wins(small: Callable[..., Diego]) -> None:
    diego = small()
    assert diego.threshold == diego.knowledge.threshold
    assert small(threshold=0.9).threshold == 0.9
    assert small(threshold=0).threshold == 0


def test_below_the_threshold_he_does_not_know(small: Callable[..., Diego]) -> None:
    asked = "yy ww zz vv uu tt. What is AI?"
    assert str(small(threshold=0.54).get_response(asked)) == "A field"
    assert str(small(threshold=0.56).get_response(asked)) in UNKNOWN


def test_he_varies_what_he_says_when_he_does_not_know(small: Callable[..., Diego]) -> None:
    diego = small()
    for number in range(20):
        said = [str(diego.get_response("xyzzy", conversation=str(number))) for _ in UNKNOWN]
        assert sorted(said) == sorted(UNKNOWN)


@pytest.mark.parametrize("kind", [dict, Statement])
def test_a_statement_belongs_to_its_own_conversation(small: Callable[..., Diego], kind: Callable[..., Any]) -> None:
    diego = small()
    diego.get_response(kind(text="Hi", conversation="one"))
    assert (diego.memory.last("one"), diego.memory.last(diego.default_conversation)) == ("Hello", "")
    diego.get_response(kind(text="Hi"), conversation="two")
    assert diego.memory.last("two") == "Hello"


def test_what_was_not_kept_was_not_said(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    made = settings(tmp_path, (f"{tmp_path}/mine.csv",))
    with closing(Diary(made.visitors_url)) as diary, closing(Diego(made, diary=diary)) as diego:
        diego.get_response("Hi", conversation=ANN)
        assert diego.memory.last(ANN) == ""
        say(diary, ANN, "Hi", reply="Hello")
        assert diego.memory.last_replies(ANN) == ["Hello"]


def test_what_he_said_last_is_looked_up_when_somebody_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    made = settings(tmp_path, (f"{tmp_path}/mine.csv",))
    with closing(Diary(made.visitors_url)) as diary, closing(Diego(made, diary=diary)) as diego:
        say(diary, ANN, "Hi", reply="Hello")
        diary.come(ANN)
        monkeypatch.setattr("chatbot.bot.turns.Turns.before", None)
        assert diego.memory.last_replies(ANN) == ["Hello"]


def test_what_another_process_trains_he_knows_within_two_seconds(small: Callable[..., Diego], tmp_path: Path) -> None:
    diego = small()
    (tmp_path / "new.csv").write_text("text,reply\nxyzzy,Nothing happens.\n")
    variables = environment(DIEGO_DATABASE_URL=url_in(tmp_path))
    for command, expected in (("train", ("Nothing happens.",)), ("forget", UNKNOWN)):
        subprocess.run(
            [sys.executable, "-m", "chatbot", command, str(tmp_path / "new.csv")],
            env=variables,
            capture_output=True,
            check=True,
        )
        wait_for(partial(says, diego, "xyzzy", expected), seconds=2)


def test_what_an_operator_approves_or_undoes_he_knows_within_two_seconds(
    small: Callable[..., Diego], tmp_path: Path
) -> None:
    diego = small()
    made = settings(tmp_path)
    with closing(Diary(made.visitors_url)) as diary:
        diary.lessons.teach("a" * 32, "xyzzy", "Nothing happens.")
        for command, expected in (
            (["approve", "1"], ("Nothing happens.",)),
            (["forget", "--since", "2000-01-01"], UNKNOWN),
        ):
            subprocess.run(
                [sys.executable, "-m", "chatbot", *command],
                env=environment(DIEGO_DATABASE_URL=made.database_url),
                capture_output=True,
                check=True,
            )
            wait_for(partial(says, diego, "xyzzy", expected), seconds=2)
        wait_for(lambda: diary.lessons.of("a" * 32) == [], seconds=2)


def test_what_an_operator_answers_he_knows_while_the_rest_is_worked_out_elsewhere(
    small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.bot.diego.WATCH_SECONDS", 0.01)
    diego = small()
    built_here: list[object] = []
    monkeypatch.setattr("chatbot.bot.cache.knowledge_arrays", lambda *_: built_here.append(1))
    with training(diego.storage):  # so that nothing can be worked out
        for reply in ("Nothing happens.", "A hollow voice says: fool."):
            name = answer(diego.storage, "Xyzzy, then plugh", reply)
            wait_for(partial(says, diego, "xyzzy then plugh", (reply,)))
        receipt = diego.get_response("xyzzy then plugh").receipt
        assert receipt[:4] == ("known", "the same prompt", "KnownPrompt", 1.0)
        assert receipt.matched == Evidence("Xyzzy, then plugh", name, 1, 1.0)
        assert says(diego, "Plugh then xyzzy", UNKNOWN)
        approved = answer(diego.storage, "Hi", "Hi yourself.")
        wait_for(partial(says, diego, "hi", ("Hi yourself.",)))
    wait_for(partial(says, diego, "Plugh then xyzzy", (reply,)))
    wait_for(lambda: diego.answers == {})
    assert says(diego, "hi", ("Hi yourself.",))
    assert built_here == []
    forget(diego.storage, (name, approved))
    wait_for(partial(says, diego, "xyzzy then plugh", UNKNOWN))
    assert says(diego, "hi", ("Hello",))


def test_an_answer_is_known_after_a_start(small: Callable[..., Diego], tmp_path: Path) -> None:
    small().close()
    with closing(KnowledgeStorage(database_uri=url_in(tmp_path))) as storage:
        answer(storage, "xyzzy", "Nothing happens.")
    assert says(small(), "xyzzy", ("Nothing happens.",))


def test_where_no_other_process_can_work_it_out_he_does(
    small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.bot.diego.WATCH_SECONDS", 0.01)
    failing = [sys.executable, "-c", "raise SystemExit(1)"]
    monkeypatch.setattr("chatbot.bot.diego.work_out_elsewhere", lambda _: subprocess.Popen(failing))
    diego = small()
    answer(diego.storage, "Xyzzy, then plugh", "Nothing happens.")
    wait_for(partial(says, diego, "Plugh then xyzzy", ("Nothing happens.",)))


def test_closing_ends_the_process_that_works_it_out(
    small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.bot.diego.WATCH_SECONDS", 0.01)
    monkeypatch.setattr("chatbot.bot.diego.CLOSE_SECONDS", 30)
    begun: list[subprocess.Popen[bytes]] = []
    endless = [sys.executable, "-c", "import time; time.sleep(600)"]

    def begin(_: object) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen(endless))
        return begun[-1]

    monkeypatch.setattr("chatbot.bot.diego.work_out_elsewhere", begin)
    diego = small()
    answer(diego.storage, "xyzzy", "Nothing happens.")
    wait_for(lambda: begun)
    diego.close()
    assert [process.poll() for process in begun] == [-signal.SIGKILL]


def test_he_goes_on_while_the_database_cannot_be_read(
    small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chatbot.bot.diego.WATCH_SECONDS", 0.01)
    diego = small()

    def fail() -> int:
        raise StorageError("It is locked.")

    monkeypatch.setattr(diego.storage, "version", fail)
    wait_for(lambda: "New knowledge cannot be taken over; this is tried again. It is locked." in caplog.messages)
    monkeypatch.setattr(diego.storage, "version", lambda: -1)
    wait_for(lambda: diego._version == -1)  # noqa: SLF001
    assert str(diego.get_response("Hi")) == "Hello"


def test_closing_waits_for_who_reads_the_database(small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.diego.WATCH_SECONDS", 0.01)
    monkeypatch.setattr("chatbot.bot.diego.CLOSE_SECONDS", 30)
    diego = small()
    reading = Event()
    read_when_closed: list[bool] = []

    def version() -> int:
        reading.set()
        diego._closing.wait(30)  # noqa: SLF001
        return -1

    monkeypatch.setattr(diego.storage, "version", version)
    monkeypatch.setattr(diego.storage, "close", lambda: read_when_closed.append(diego._watcher.is_alive()))  # noqa: SLF001
    assert reading.wait(30)
    diego.close()
    assert read_when_closed == [False]


def test_closing_does_not_wait_for_new_knowledge(small: Callable[..., Diego], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.bot.diego.WATCH_SECONDS", 0.01)
    diego = small()
    working, end = Event(), Event()
    closed: list[bool] = []

    def work(*_: object, **__: object) -> Knowledge:
        working.set()
        end.wait(30)
        return diego.knowledge

    monkeypatch.setattr("chatbot.bot.diego.knowledge_of", work)
    monkeypatch.setattr(diego.storage, "version", lambda: -1)
    monkeypatch.setattr(diego.storage, "close", lambda: closed.append(True))
    assert working.wait(30)
    diego.close()
    assert closed == []
    end.set()


@pytest.mark.parametrize("skill", ["nowhere.Dice", "os.path", "os.nothing", "dice", "pathlib.Path"])
def test_a_skill_that_is_no_logic_adapter_is_refused(tmp_path: Path, skill: str) -> None:
    with pytest.raises(SetupError, match=f"DIEGO_SKILLS names {skill}, but that is no ChatterBot logic adapter"):
        Diego(Settings(database_url=url_in(tmp_path), skills=(skill,)))
