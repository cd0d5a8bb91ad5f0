"""From what visitors taught or asked to knowledge for everybody, and away again: what an operator decides.

Lessons and knowledge are in two databases. The knowledge is committed first; if the power fails between the two, the
lessons are as before, and doing the same again completes it.
"""

from hashlib import sha256
from pathlib import Path

from chatbot.bot.corpora import Source
from chatbot.bot.formats import Corpus, Line
from chatbot.bot.lessons import APPROVED, REJECTED, Lessons, Undecided
from chatbot.bot.storage import Change, KnowledgeStorage
from chatbot.bot.training import Forgotten
from chatbot.bot.words import key


def approve(storage: KnowledgeStorage, lessons: Lessons, number: int) -> Undecided:
    """Make a lesson a source of its own. Raises UnknownLessonError or StorageError, and all stays as it was."""
    with storage.changing():
        pass  # whoever trains is waited for before visitors have to wait, too
    with lessons.changing() as connection, storage.changing() as change:
        lesson = lessons.decide(connection, number, APPROVED)
        _learn(change, _name(number), lesson.prompt, lesson.reply)
    return lesson


def answer(storage: KnowledgeStorage, prompt: str, reply: str) -> str:
    """Make an operator's answer to a prompt a source of its own, in place of an earlier one; its name.

    Raises StorageError, and all stays as it was.
    """
    name = f"answer {sha256(key(prompt).encode()).hexdigest()[:16]}"
    with storage.changing() as change:
        _learn(change, name, prompt, reply)
    return name


def reject(lessons: Lessons, number: int) -> Undecided:
    """Leave a lesson to those who taught it. Raises UnknownLessonError or StorageError, and all stays as it was."""
    with lessons.changing() as connection:
        return lessons.decide(connection, number, REJECTED)


def undo(
    storage: KnowledgeStorage, lessons: Lessons, *, visitor: str | None = None, since: float = 0.0
) -> tuple[int, list[Forgotten]]:
    """Take away what was taught since a time (s since 1970), by a visitor or by all, and the knowledge that came of it.

    What others taught as well stays known. How many lessons that were, and which sources. Raises StorageError.
    """
    with lessons.changing() as connection, storage.changing() as change:
        undone = lessons.undo(connection, visitor=visitor, since=since)
        names = {_name(number) for number in undone.approved}
        sources = [source for source in change.sources() if source.name in names]
        for source in sources:
            change.forget(source.name)
    return undone.lessons, [Forgotten(source.name, source.statements) for source in sources]


def _learn(change: Change, name: str, prompt: str, reply: str) -> None:
    lines = [Line(prompt, None, 1), Line(reply, prompt, 1)]
    change.forget(name)  # a lesson is there if this was interrupted the last time
    change.learn(Corpus(Source(name, Path(name), packaged=False), lines), name, sha256="", rank=0)


def _name(number: int) -> str:
    return f"lesson {number}"
