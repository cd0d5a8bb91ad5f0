"""A server with the real Diego, who knows little and has one reply to each prompt: quick to start and predictable."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from websockets.sync.client import ClientConnection

from tests.databases import ON_POSTGRESQL, dumped, url_in
from tests.processes import DIEGO, SECONDS, Server, engines, environment, serving

UNKNOWN = "I do not know."
SETTINGS = {"DIEGO_CORPORA": "small.yml", "DIEGO_DEFAULT_RESPONSES": UNKNOWN}

# After the joke "Who is there?" has another reply, so that it shows what Diego takes for his last one.
_CORPUS = """
conversations:
- [Tell me a joke, Knock knock., Who is there?, Olive.]
- [Who is there?, Only me.]
- [Hello, Hello to you.]
- [What is a walrus?, A large animal with tusks.]
- [Where is the station?, At the end of the road.]
- [When does the museum open?, At ten every morning.]
- [Do you like chocolate?, I like the thought of it.]
"""


@contextmanager
def serving_small(folder: Path, port: int = 0, *arguments: str, **settings: str) -> Iterator[Server]:
    """A server that is ready, with its database and all that it prints in that folder."""
    (folder / "small.yml").write_text(_CORPUS)
    with serving(folder, *DIEGO, *arguments, port=port, **SETTINGS, **settings) as server:
        yield server


def operate(server: Server, *arguments: str, **settings: str) -> str:
    """What `python -m chatbot` prints beside that server."""
    return subprocess.run(
        [sys.executable, "-m", "chatbot", *arguments],
        cwd=server.output.parent,
        env=environment(**{**engines(server.output.parent), **SETTINGS, **settings}),
        capture_output=True,
        check=True,
        text=True,
        timeout=SECONDS,
    ).stdout


def answers(plain: ClientConnection, texts: Iterable[str]) -> list[str]:
    """What comes back in a plain tab for texts that are sent at once."""
    sent = [*texts]
    for text in sent:
        plain.send(text)
    return [str(plain.recv(timeout=SECONDS)) for _ in sent]


def answer(plain: ClientConnection, text: str) -> str:
    """The same for one text."""
    return answers(plain, [text])[0]


def visitor_of(response: httpx2.Response | ClientConnection) -> str:
    """The visitor's number in the cookie that an answer or a handshake sets."""
    if isinstance(response, ClientConnection):
        assert response.response is not None
        return response.response.headers["Set-Cookie"].partition("=")[2][:32]
    return response.headers["set-cookie"].partition("=")[2][:32]


def traces(server: Server, words: Iterable[str]) -> set[str]:
    """Those of the words that are in any file of the server's folder, in whatever case: databases, cache, log.

    A database in PostgreSQL is looked at as it is dumped.
    """
    folder = server.output.parent
    files = [file for file in folder.rglob("*") if file.is_file()]
    databases = set() if ON_POSTGRESQL else {"diego.db", "diego.db.visitors"}
    assert {*databases, "seals", server.output.name} <= {file.name for file in files}
    contents = [file.read_bytes().lower() for file in files]
    if ON_POSTGRESQL:
        contents.append(dumped(url_in(folder)).lower())
    return {word for word in words if any(word.lower().encode() in content for content in contents)}
