"""From the names of corpora to knowledge, and away again."""

import difflib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from tqdm import tqdm

from chatbot import SetupError
from chatbot.bot.cache import training
from chatbot.bot.corpora import Source, find_sources, place
from chatbot.bot.formats import read_corpus
from chatbot.bot.storage import Change, KnowledgeStorage, KnownSource

logger = logging.getLogger(__name__)


class UnknownSourceError(SetupError):
    """What is to be forgotten was not learned by command; the message says what to do."""


class Learned(NamedTuple):
    """What came of a source that was to be learned."""

    name: str
    outcome: Literal["new", "replaced", "unchanged", "in DIEGO_CORPORA"]
    statements: int


class Forgotten(NamedTuple):
    """A source that is known no longer, and how many statements it had."""

    name: str
    statements: int


def train(storage: KnowledgeStorage, names: tuple[str, ...]) -> None:
    """Make the storage know what the setting DIEGO_CORPORA names, and what was trained by command, and nothing else.

    Writes only what has changed, and first waits for whoever else is training. Raises CorpusError or StorageError, and
    the knowledge stays as it was.
    """
    wanted = _wanted(names)
    if not _changes(storage.sources(), wanted):
        return
    logger.info("Training Diego on %s.", ", ".join(names))
    with training(storage), storage.changing() as change:
        _follow_setting(change, wanted)
        total = sum(known.statements for known in change.sources())
    logger.info("Statements that Diego knows: %s.", f"{total:,}")


def learn(storage: KnowledgeStorage, names: tuple[str, ...], *, dry_run: bool = False) -> list[Learned]:
    """Add what corpora, files and folders say, or with `dry_run` just read and check it. What came of each source.

    A changed source takes the place of what it said before. Raises CorpusError or StorageError, and the knowledge
    stays as it was.
    """
    sources = find_sources(names)
    with _bar(sources) as bar:
        if dry_run:
            known = storage.sources()
            return [_learn(None, known, source, bar) for source in sources]
        with storage.changing() as change:
            return [_learn(change, change.sources(), source, bar) for source in sources]


def forget(storage: KnowledgeStorage, names: tuple[str, ...]) -> list[Forgotten]:
    """Take away all that came from sources, named like for `learn`. Raises UnknownSourceError or StorageError."""
    with storage.changing() as change:
        known = change.sources()
        forgotten = {source.name: source for name in names for source in _trained_by_command(known, name)}
        for name in forgotten:
            change.forget(name)
    return [Forgotten(source.name, source.statements) for source in forgotten.values()]


class _Wanted(NamedTuple):
    source: Source
    sha256: str
    rank: int


def _wanted(names: tuple[str, ...]) -> dict[str, _Wanted]:
    """The sources of the setting by their place; one that is named twice has the first rank."""
    wanted: dict[str, _Wanted] = {}
    for rank, name in enumerate(names, 1):
        for source in find_sources((name,)):
            if source.place not in wanted:
                wanted[source.place] = _Wanted(source, source.sha256(), rank)
    return wanted


def _changes(known: list[KnownSource], wanted: dict[str, _Wanted]) -> bool:
    by_command = {source.place for source in known if not source.rank}
    there = {source.place: (source.whole and source.sha256, source.rank) for source in known if source.rank}
    return there != {place: (new.sha256, new.rank) for place, new in wanted.items() if place not in by_command}


def _follow_setting(change: Change, wanted: dict[str, _Wanted]) -> None:
    kept: set[str] = set()
    for known in change.sources():
        new = wanted.get(known.place)
        if not known.rank:
            kept.add(known.place)
        elif new and known.whole and new.sha256 == known.sha256:
            kept.add(known.place)
            change.rank(known.name, new.rank)
        else:
            change.forget(known.name)
    missing = [new for place, new in wanted.items() if place not in kept]
    with _bar([new.source for new in missing]) as bar:
        for source, sha256, rank in missing:
            change.learn(read_corpus(source, bar.update), _name(source, change.sources()), sha256=sha256, rank=rank)


def _learn(change: Change | None, known: list[KnownSource], source: Source, bar: "tqdm[NoReturn]") -> Learned:
    before = next((there for there in known if there.place == source.place), None)
    if before and before.rank:
        return Learned(before.name, "in DIEGO_CORPORA", before.statements)
    sha256 = source.sha256()
    if before and before.whole and before.sha256 == sha256:
        bar.update(source.size())
        return Learned(before.name, "unchanged", before.statements)
    name = before.name if before else _name(source, known)
    corpus = read_corpus(source, bar.update)
    if change and before:
        change.forget(name)
    statements = change.learn(corpus, name, sha256=sha256, rank=0) if change else sum(1 for _ in corpus.lines)
    return Learned(name, "replaced" if before else "new", statements)


def _name(source: Source, known: Iterable[KnownSource]) -> str:
    """As it was given, unless a file elsewhere was given by the same name."""
    return source.place if source.name in {there.name for there in known} else source.name


def _bar(sources: Iterable[Source]) -> "tqdm[NoReturn]":
    """A progress bar on terminals, in bytes: how many statements there are is known at the end."""
    total = sum(source.size() for source in sources)
    return tqdm(total=total, desc="Training", unit="B", unit_scale=True, disable=None, leave=False)


def _trained_by_command(known: list[KnownSource], name: str) -> list[KnownSource]:
    where = place(name)
    inside = where + (os.sep if Path(where).is_absolute() else ".")
    found = [source for source in known if source.place == where or source.place.startswith(inside)]
    found = found or [source for source in known if source.name == name]
    if not found:
        near = difflib.get_close_matches(name, [source.name for source in known], n=1)
        hint = f"Did you mean {near[0]}?" if near else "See python -m chatbot sources."
        raise UnknownSourceError(f"{name}: Diego was not trained on anything of that name. {hint}")
    for source in found:
        if source.rank:
            raise UnknownSourceError(f"{source.name}: this is in DIEGO_CORPORA. Take it out of that setting.")
    return found
