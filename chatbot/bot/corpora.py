"""From the names of corpora to the files they stand for."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chatterbot_corpus.corpus import DATA_DIRECTORY

from chatbot import SetupError

PACKAGED = "chatterbot.corpus"
FOLDERS = {PACKAGED: Path(DATA_DIRECTORY), "chatbot.corpus": Path(__file__).parent.parent / "corpus"}
"""What a corpus's name with dots begins with, and the folder that it stands for."""

SUFFIXES = (".yml", ".yaml", ".json", ".csv", ".tsv", ".jsonl")
_FROM_NO_FILE = re.compile(r"lesson \d+|answer [0-9a-f]{16}")
"""What visitors taught, and what an operator answered."""

FORMAT = 1
"""To be counted up whenever the same files are to make other rows."""


class CorpusError(SetupError):
    """A corpus cannot be used; the message names the file and, where there is one, the line."""


@dataclass(frozen=True)
class Source:
    """A file to train on. `packaged`: it comes with chatterbot-corpus and is not the user's to mend."""

    name: str
    path: Path
    packaged: bool

    @property
    def place(self) -> str:
        """What is the same however the source is named."""
        return self.name if _is_place(self.name) else _absolute(self.path)

    def size(self) -> int:
        """How many bytes it has. Raises CorpusError."""
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise unreadable(self.name, error) from None

    def sha256(self) -> str:
        """The hash of what the file holds and of how that is stored. Raises CorpusError."""
        try:
            with self.path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(self.name, error) from None
        return hashlib.sha256(f"{FORMAT} {content}".encode()).hexdigest()


def find_sources(names: tuple[str, ...]) -> list[Source]:
    """The files that corpora (`chatterbot.corpus.english`), files and folders stand for, each once.

    Raises CorpusError for a name that stands for none.
    """
    found: dict[str, Source] = {}
    for name in names:
        try:
            for source in _sources(name):
                found.setdefault(source.place, source)
        except (OSError, RuntimeError) as error:  # too long a name, no such user
            raise CorpusError(f"{name}: there can be no such file: {error}.") from None
    return list(found.values())


def place(name: str) -> str:
    """The absolute path of a file or folder; the name of a corpus, lesson or answer. Raises CorpusError."""
    try:
        return name if _is_place(name) else _absolute(_path(name))
    except (OSError, RuntimeError) as error:
        raise CorpusError(f"{name}: there can be no such file: {error}.") from None


def language_of(name: str) -> str:
    """The language of a packaged corpus, such as "french"; empty for every other source, whose language is unknown."""
    root = _root(name)
    return name.removeprefix(root).split(".")[1] if root and root != name else ""


def unreadable(name: str, error: OSError) -> CorpusError:
    """The sentence for a file that the system does not give."""
    return CorpusError(f"{name}: cannot be read: {error.strerror}.")


def _is_place(name: str) -> bool:
    return bool(_root(name) or _FROM_NO_FILE.fullmatch(name))


def _root(name: str) -> str | None:
    return next((root for root in FOLDERS if name == root or name.startswith(root + ".")), None)


def _sources(name: str) -> Iterator[Source]:
    root = _root(name)
    packaged = root == PACKAGED
    path = _corpus_path(name, root) if root else _path(name)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise CorpusError(f"{name}: expected a corpus, {_suffixes()}, but got {path.name}.")
        yield Source(name if root else _printable(Path(name)), path, packaged)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not files:
            raise CorpusError(f"{name}: expected a folder with corpora, {_suffixes()}, but it has none.")
        for file in files:
            inside = file.relative_to(path)
            yield Source(".".join([name, *inside.with_suffix("").parts]) if root else _printable(file), file, packaged)
    else:
        known = " and ".join(f"{corpora} are {', '.join(_languages(folder))}" for corpora, folder in FOLDERS.items())
        raise CorpusError(f"{name}: there is no such file, folder or corpus. The languages of {known}.")


def _suffixes() -> str:
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _languages(folder: Path) -> list[str]:
    return sorted(language.name for language in folder.iterdir() if language.is_dir())


def _path(name: str) -> Path:
    if not name:
        raise CorpusError("Expected the name of a file, folder or corpus, but got an empty one.")  # Path's is "."
    return Path(name).expanduser()


def _absolute(path: Path) -> str:
    """In one spelling. Links stay, as they may lead elsewhere tomorrow and the source is the same."""
    return _printable(Path(os.path.abspath(path)))  # noqa: PTH100 - Path.absolute keeps `..`


def _printable(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()


def _corpus_path(name: str, root: str) -> Path:
    path = FOLDERS[root].joinpath(*name.removeprefix(root).split("."))
    return path if path.is_dir() else path.with_suffix(SUFFIXES[0])
