"""`python -m chatbot`: what Diego knows, and how he is trained on one's own data."""

import argparse
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tqdm import tqdm

from chatbot import SetupError
from chatbot.bot.approval import approve, reject, undo
from chatbot.bot.backup import Backup, back_up, complete, restore
from chatbot.bot.cache import training, work_out
from chatbot.bot.database import database_name, database_path, errors_as_sentences
from chatbot.bot.diary import Diary
from chatbot.bot.export import corpus
from chatbot.bot.lessons import Undecided
from chatbot.bot.migration import migrate
from chatbot.bot.owner import hand_over
from chatbot.bot.receipts import explained
from chatbot.bot.storage import KnowledgeStorage, KnownSource
from chatbot.bot.training import Forgotten, Learned, forget, learn
from chatbot.messages import RefusedMessage, read_prompt
from chatbot.settings import PREFIX, Settings, load_settings

INTERRUPTED = 130
"""The exit status that shells give a program that Ctrl-C ended."""

UNCHANGED = "What Diego knows is as it was."


class Command(NamedTuple):
    """What may stand after `python -m chatbot`, its arguments and what it does."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], object]
    run: Callable[[Settings, argparse.Namespace], None]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        settings = load_settings()
        try:
            complete(settings)
            options.run(settings, options)
        finally:
            database = database_path(settings.database_url).absolute()
            if settings.keeps_files and database.parent.is_dir():
                hand_over(database.parent, database.name, database.parent)
        print(end="", flush=True)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "Stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # whoever read has read enough
    except OSError as error:
        _drop_output()
        print(f"Diego cannot go on: {error}.", file=sys.stderr)
        return 1
    return 0


def _drop_output() -> None:
    """Python would try once more to write what is left, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chatbot", description="What Diego knows. Settings: see the README."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="FILE|FOLDER|CORPUS", help="YAML, JSON, CSV, TSV or JSON Lines")
    parser.add_argument("--dry-run", action="store_true", help="read and check, and change nothing")


def _train(settings: Settings, options: argparse.Namespace) -> None:
    with closing(_storage(settings)) as storage, training(storage):
        begun = monotonic()
        with _told_if_stopped(UNCHANGED):
            learned = learn(storage, tuple(options.names), dry_run=options.dry_run)
        if not options.dry_run:
            _work_out(storage)
        seconds = monotonic() - begun
    _print_table(
        ("source", "outcome", "statements"), [(one.name, one.outcome, f"{one.statements:,}") for one in learned]
    )
    print(_summary(learned, seconds, dry_run=options.dry_run))


def _summary(learned: list[Learned], seconds: float, *, dry_run: bool) -> str:
    written = [one for one in learned if one.outcome in ("new", "replaced")]
    statements = sum(one.statements for one in written)
    did = "Nothing is wrong; Diego would learn" if dry_run else "Diego learned"
    return f"{did} {statements:,} statements from {len(written):,} of {len(learned):,} sources, in {seconds:.1f} s."


def _work_out(storage: KnowledgeStorage) -> None:
    """What takes most of the time, after the change of what he knows is stored."""
    with (
        _told_if_stopped("What was changed is stored; the rest is worked out when Diego starts."),
        tqdm(bar_format="Working out the replies …", disable=None, leave=False),
    ):
        work_out(storage)


@contextmanager
def _told_if_stopped(state: str) -> Iterator[None]:
    """What Ctrl-C leaves behind."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped. {state}") from None


def _sources(settings: Settings, _options: argparse.Namespace) -> None:
    with closing(_storage(settings)) as storage:
        known = storage.sources()
    _print_table(("source", "statements", "trained", "by"), [_row(source) for source in known])
    print(f"Statements from {len(known):,} sources: {sum(source.statements for source in known):,}.")


def _row(source: KnownSource) -> tuple[str, ...]:
    trained = f"{source.trained_at.astimezone():%Y-%m-%d %H:%M}"
    return source.name, f"{source.statements:,}", trained, "DIEGO_CORPORA" if source.rank else "command"


def _forget_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "names", nargs="*", default=[], metavar="SOURCE", help="as `sources` shows it, or as it was given to `train`"
    )
    what.add_argument("--visitor", metavar="ID", help="all of a visitor, and what came of the lessons")
    what.add_argument(
        "--since", type=_time, metavar="TIME", help="what visitors taught since a local time, and what came of it"
    )


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f'expected a time like 2026-11-21 or "2026-11-21 09:00", but got {text}'
        ) from None


def _forget(settings: Settings, options: argparse.Namespace) -> None:
    with closing(_storage(settings)) as storage, training(storage):
        with _told_if_stopped(UNCHANGED):
            forgotten = forget(storage, tuple(options.names)) if options.names else _undo(settings, storage, options)
        _work_out(storage)
    for source in forgotten:
        print(f"Diego forgot {source.name}: {source.statements:,} statements.")


def _undo(settings: Settings, storage: KnowledgeStorage, options: argparse.Namespace) -> list[Forgotten]:
    with closing(Diary(settings.visitors_url)) as diary:
        if options.since:
            count, forgotten = undo(storage, diary.lessons, since=options.since.timestamp())
            print(f"Diego forgot what visitors taught since {options.since:%Y-%m-%d %H:%M}; lessons: {count:,}.")
        else:
            visitor = options.visitor
            count, forgotten = undo(storage, diary.lessons, visitor=visitor)
            if not (count or forgotten or diary.knows(visitor)):
                raise SetupError(f"Diego knows nothing of a visitor {visitor}.")
            diary.forget(visitor)
            print(f"Diego forgot all that there was of visitor {visitor}; lessons: {count:,}.")
    return forgotten


def _lessons(settings: Settings, _options: argparse.Namespace) -> None:
    with errors_as_sentences(settings.visitors_url), closing(Diary(settings.visitors_url)) as diary:
        undecided = diary.lessons.undecided()
    _print_table(("lesson", "taught", "visitors", "prompt => reply"), [_lesson_row(lesson) for lesson in undecided])
    print(f"Lessons to decide on: {len(undecided):,}.")


def _lesson_row(lesson: Undecided) -> tuple[str, ...]:
    taught = f"{datetime.fromtimestamp(lesson.taught_at).astimezone():%Y-%m-%d %H:%M}"
    return str(lesson.number), taught, f"{lesson.visitors:,}", _shown(lesson)


def _shown(lesson: Undecided) -> str:
    """What was taught, in one line, with nothing in it that a terminal would obey or hide."""
    quoted = f"{json.dumps(lesson.prompt, ensure_ascii=False)} => {json.dumps(lesson.reply, ensure_ascii=False)}"
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in quoted
    )


def _number_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, metavar="N", help="as `lessons` shows it")


def _approve(settings: Settings, options: argparse.Namespace) -> None:
    with closing(_storage(settings)) as storage, training(storage), closing(Diary(settings.visitors_url)) as diary:
        with _told_if_stopped(UNCHANGED):
            lesson = approve(storage, diary.lessons, options.number)
        _work_out(storage)
    print(f"Lesson {lesson.number} is what everybody's Diego knows now: {_shown(lesson)}.")


def _reject(settings: Settings, options: argparse.Namespace) -> None:
    with closing(Diary(settings.visitors_url)) as diary:
        lesson = reject(diary.lessons, options.number)
    print(f"Lesson {lesson.number} stays with those who taught it: {_shown(lesson)}.")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where to; otherwise it is printed")


def _export(settings: Settings, options: argparse.Namespace) -> None:
    with closing(_storage(settings)) as storage:
        lines = corpus(storage.pairs())
        if options.file is None:
            sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
            sys.stdout.writelines(lines)
        else:
            _refuse_own_files(options.file, settings)
            _write(options.file, lines)


def _refuse_own_files(path: Path, settings: Settings) -> None:
    """The databases, what SQLite keeps beside them, and the key are no place for a corpus."""
    if not settings.keeps_files:
        return
    databases = [os.path.realpath(database_path(url)) for url in (settings.database_url, settings.visitors_url)]
    own = [database + suffix for database in databases for suffix in ("", "-wal", "-shm", "-journal")]
    if os.path.realpath(path) in (*own, os.path.realpath(settings.key_file)):
        raise SetupError(f"{path} is a file in which Diego keeps what he needs. Name another file.")


def _write(path: Path, lines: Iterable[str]) -> None:
    try:
        if path.exists() and not path.is_file():  # a pipe or a device, whose place no file may take
            _write_lines(path, lines)
        else:
            _replace(Path(os.path.realpath(path)), lines)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}.") from None


def _replace(path: Path, lines: Iterable[str]) -> None:
    """Write a file beside it first, so that what was there is lost only when all is written."""
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        written = Path(folder) / path.name
        _write_lines(written, lines)
        if path.exists():
            shutil.copymode(path, written)
        written.replace(path)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="where to; what is there is replaced when all is well")


def _backup(settings: Settings, options: argparse.Namespace) -> None:
    _refuse_own_files(options.file, settings)
    with _told_if_stopped(f"{options.file} is as it was."):
        made = back_up(settings, options.file)
    print(
        f"The backup is {options.file}: {_size(made)}. Whoever has it has the visitors' words and the key: keep it so."
    )


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` has written")


def _restore(settings: Settings, options: argparse.Namespace) -> None:
    restored = restore(settings, options.file)
    with closing(_storage(settings)) as storage, training(storage):
        _work_out(storage)
    print(f"Diego is as he was on {restored.made_at.astimezone():%Y-%m-%d at %H:%M}: {_size(restored)}.")


def _size(backup: Backup) -> str:
    return f"{backup.bytes / 1e6:,.1f} MB, unpacked"


def _ask_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help="what to ask")
    parser.add_argument("--why", action="store_true", help="say why that is the reply")


def _ask(settings: Settings, options: argparse.Namespace) -> None:
    # ChatterBot takes most of a second to import, and the other commands do without it.
    from chatbot.bot.diego import Diego  # noqa: PLC0415

    try:
        prompt = read_prompt(options.text)
    except RefusedMessage as refused:
        raise SetupError(str(refused)) from None
    with closing(Diego(settings)) as diego:
        reply = diego.get_response(prompt)
    print(reply)
    if options.why:
        print(*explained(reply.receipt), sep="\n")


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", required=True, metavar="FILE", help="what to train on")
    parser.add_argument("--test", required=True, metavar="FILE", help="CSV or TSV; an empty reply is out of scope")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _evaluate(_settings: Settings, options: argparse.Namespace) -> None:
    from chatbot.bot.evaluation import evaluate  # noqa: PLC0415 - as above

    measured = evaluate(options.train, options.test)
    if options.json:
        print(json.dumps(measured.figures()))
    else:
        _print_table(*measured.table())
        print(measured.summary())


def _storage(settings: Settings) -> KnowledgeStorage:
    return KnowledgeStorage(database_uri=settings.database_url)


def _print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as they need be; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if title == "statements" else cell.ljust(width)
            for cell, width, title in zip(row, widths, header, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _migrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", required=True, metavar="URL", dest="source", help="such as sqlite:///diego.db")
    parser.add_argument(
        "--to",
        required=True,
        metavar="URL",
        dest="target",
        help="such as postgresql+psycopg://USER:PASSWORD@HOST/diego",
    )


def _migrate(_settings: Settings, options: argparse.Namespace) -> None:
    source, target = _settings_of("--from", options.source), _settings_of("--to", options.target)
    if not source.keeps_files or target.keeps_files:
        raise SetupError("What is moved goes from a file (sqlite:///PATH) into PostgreSQL (postgresql+psycopg://…).")
    try:
        with (
            _told_if_stopped("The same command goes on where this one was."),
            tqdm(desc="Moving", unit=" rows", disable=None, leave=False) as progress,
        ):
            moved = migrate(source, target, progress.update)
    except SetupError as error:
        raise _by_flag("--to" if database_name(target.database_url) in str(error) else "--from", error) from None
    _print_table(("table", "rows", "there"), [(one.table, f"{one.rows:,}", f"{one.there:,}") for one in moved])
    if any(one.rows != one.there for one in moved):
        raise SetupError("Not all is there. Give the same command again.")
    print("All is there. Set DIEGO_DATABASE_URL to it, and start Diego again: what is said until then is not moved.")


def _settings_of(flag: str, url: str) -> Settings:
    """Those of a database that a flag names."""
    try:
        return load_settings(database_url=url)
    except SetupError as error:
        raise _by_flag(flag, error) from None


def _by_flag(flag: str, error: SetupError) -> SetupError:
    """The same sentence about a database that a flag names."""
    return SetupError(str(error).replace(f"{PREFIX}DATABASE_URL", flag))


COMMANDS = (
    Command(
        "train",
        "Train Diego on files, folders or corpora; what has not changed adds nothing.",
        _train_arguments,
        _train,
    ),
    Command("ask", "Ask Diego one thing.", _ask_arguments, _ask),
    Command("evaluate", "Train on one file, test on another, and say how good it is.", _evaluate_arguments, _evaluate),
    Command("sources", "Show what Diego was trained on.", lambda _: None, _sources),
    Command("forget", "Take away all that came from a source, or from visitors.", _forget_arguments, _forget),
    Command("lessons", "Show what visitors taught and nobody has decided on.", lambda _: None, _lessons),
    Command("approve", "Make a lesson of visitors knowledge for everybody.", _number_argument, _approve),
    Command("reject", "Leave a lesson to the visitors who taught it.", _number_argument, _reject),
    Command(
        "backup",
        "Write all that Diego keeps into one file: what he knows, what he keeps of visitors, and the key file if there "
        "is one. A server may run meanwhile.",
        _backup_arguments,
        _backup,
    ),
    Command(
        "restore",
        "Put a backup in the place of all that Diego keeps; what came after it is lost. It is checked first, and all "
        "of it is restored or nothing. A running server knows it within two seconds, and whoever was forgotten since "
        "the backup stays forgotten. A database that is damaged is kept as .damaged; then restart a running server.",
        _restore_arguments,
        _restore,
    ),
    Command(
        "migrate",
        "Move all that Diego keeps from a file into PostgreSQL, while nothing else is written to it. If it is "
        "interrupted, it goes on.",
        _migrate_arguments,
        _migrate,
    ),
    Command("export", "Write all that Diego knows as a YAML corpus.", _export_arguments, _export),
)


if __name__ == "__main__":
    # As Ctrl-C: else what was begun, copies of databases for example, would stay in folders that nobody looks for.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
