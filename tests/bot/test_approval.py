from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from chatbot.bot.approval import answer, approve, reject, undo
from chatbot.bot.diary import Diary
from chatbot.bot.formats import Pair
from chatbot.bot.lessons import APPROVED, REJECTED, Lessons, UnknownLessonError
from chatbot.bot.storage import Change, KnowledgeStorage
from chatbot.bot.training import Forgotten, forget, learn, train
from tests.databases import url_in

ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnowledgeStorage]:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("text,reply\nHi,Hey\n")
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as storage:
        yield storage


@pytest.fixture
def lessons() -> Iterator[Lessons]:
    with closing(Diary(url_in("", "diego.db.visitors"))) as diary:
        diary.lessons.teach(ANN, "Hi", "Hello")
        diary.lessons.teach(BOB, "Sun", "Moon")
        yield diary.lessons


def names(storage: KnowledgeStorage) -> list[str]:
    return [source.name for source in storage.sources()]


def test_an_approved_lesson_is_a_source_of_its_own(storage: KnowledgeStorage, lessons: Lessons) -> None:
    approve(storage, lessons, 1)
    (source,) = storage.sources()
    assert (source.name, source.statements, source.rank, source.whole) == ("lesson 1", 2, 0, True)
    assert list(storage.pairs()) == [Pair("Hi", "Hello", None, "lesson 1", 1, 0)]
    assert [lesson.number for lesson in lessons.undecided()] == [2]
    assert [lesson.prompt for lesson in lessons.of(ANN)] == ["Hi"]


def test_an_approved_lesson_stays_whatever_is_trained(storage: KnowledgeStorage, lessons: Lessons) -> None:
    approve(storage, lessons, 1)
    learn(storage, (".",))
    train(storage, ())
    assert names(storage) == ["a.csv", "lesson 1"]
    forget(storage, (".",))
    assert names(storage) == ["lesson 1"]


def test_an_approved_lesson_is_forgotten_by_its_name_from_any_folder(
    storage: KnowledgeStorage,
    lessons: Lessons,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    approve(storage, lessons, 1)
    approve(storage, lessons, 2)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert forget(storage, ("lesson 1",)) == [Forgotten("lesson 1", 2)]
    assert names(storage) == ["lesson 2"]
    assert lessons.undecided() == []


def test_a_rejected_lesson_stays_the_visitors_own(storage: KnowledgeStorage, lessons: Lessons) -> None:
    reject(lessons, 1)
    assert names(storage) == []
    assert [(lesson.prompt, lesson.state) for lesson in lessons.of(ANN)] == [("Hi", REJECTED)]


def test_a_lesson_is_decided_on_once(storage: KnowledgeStorage, lessons: Lessons) -> None:
    approve(storage, lessons, 1)
    version = storage.version()
    with pytest.raises(UnknownLessonError):
        approve(storage, lessons, 1)
    with pytest.raises(UnknownLessonError):
        reject(lessons, 1)
    assert storage.version() == version


def test_an_approval_that_fails_leaves_all_as_it_was(
    storage: KnowledgeStorage, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Change, "learn", fail)
    with pytest.raises(KeyboardInterrupt):
        approve(storage, lessons, 1)
    assert [lesson.number for lesson in lessons.undecided()] == [1, 2]
    assert names(storage) == []


def test_what_was_interrupted_between_the_two_databases_is_completed_by_doing_it_again(
    storage: KnowledgeStorage, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = lessons.changing

    @contextmanager
    def power_fails_at_the_end() -> Iterator[Connection]:
        with changing() as connection:
            yield connection
            raise KeyboardInterrupt

    def interrupted(what: Callable[[], object]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(lessons, "changing", power_fails_at_the_end)
            with pytest.raises(KeyboardInterrupt):
                what()

    interrupted(lambda: approve(storage, lessons, 1))
    assert (names(storage), len(lessons.undecided())) == (["lesson 1"], 2)
    approve(storage, lessons, 1)
    assert (names(storage), len(lessons.undecided())) == (["lesson 1"], 1)
    interrupted(lambda: undo(storage, lessons, visitor=ANN))
    assert (names(storage), len(lessons.of(ANN))) == ([], 1)
    assert undo(storage, lessons, visitor=ANN) == (1, [])


def test_what_is_undone_is_no_knowledge_any_more(storage: KnowledgeStorage, lessons: Lessons) -> None:
    learn(storage, ("a.csv",))
    approve(storage, lessons, 1)
    approve(storage, lessons, 2)
    assert undo(storage, lessons, visitor=ANN) == (1, [Forgotten("lesson 1", 2)])
    assert names(storage) == ["a.csv", "lesson 2"]
    assert undo(storage, lessons, since=0.0) == (1, [Forgotten("lesson 2", 2)])
    assert names(storage) == ["a.csv"]


def test_what_was_forgotten_before_is_not_undone_again(storage: KnowledgeStorage, lessons: Lessons) -> None:
    assert approve(storage, lessons, 1).prompt == "Hi"
    assert lessons.of(ANN)[0].state == APPROVED
    forget(storage, ("lesson 1",))
    assert undo(storage, lessons, visitor=ANN) == (1, [])


def test_an_answer_is_a_source_of_its_own_in_place_of_an_earlier_one(storage: KnowledgeStorage) -> None:
    learn(storage, ("a.csv",))
    name = answer(storage, "What's up?", "The sky.")
    assert answer(storage, "whats up", "Nothing.") == name
    other = answer(storage, "What's down?", "The floor.")
    assert names(storage) == ["a.csv", *sorted([name, other])]
    assert [(pair.prompt, pair.reply) for pair in storage.pairs()] == [
        ("Hi", "Hey"),
        ("whats up", "Nothing."),
        ("What's down?", "The floor."),
    ]


def test_an_answer_stays_whatever_is_trained_until_it_is_forgotten_by_its_name(
    storage: KnowledgeStorage, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = answer(storage, "What's up?", "The sky.")
    train(storage, ())
    learn(storage, (".",))
    forget(storage, (".",))
    assert names(storage) == [name]
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert forget(storage, (name,)) == [Forgotten(name, 2)]
    assert names(storage) == []


def test_the_last_pairs_that_are_a_source_each_are_known_beside_the_files(
    storage: KnowledgeStorage, lessons: Lessons
) -> None:
    Path("b.csv").write_text("text,reply\none,1\ntwo,2\n")
    learn(storage, ("b.csv",))
    approve(storage, lessons, 1)
    name = answer(storage, "What's up?", "The sky.")
    lesson, answered = Pair("Hi", "Hello", None, "lesson 1", 1, 0), Pair("What's up?", "The sky.", None, name, 1, 0)
    assert storage.taught(2) == [lesson, answered]
    assert storage.taught(1) == [answered]
