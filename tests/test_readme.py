"""Every shell and Python block of the README, word for word and in order, in a fresh clone."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.nginx import ROOT
from tests.packaged import replies_in
from tests.processes import READY, Server, environment, needs, wait_for
from tests.scale import only_one_process
from tests.terminals import CTRL_D, terminal

pytestmark = pytest.mark.server

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INSTALL_SECONDS = 900
QUESTION = "What is AI?"
NOT_A_NEW_USERS = ("PYTHONPATH", "VIRTUAL_ENV", "PIPENV_ACTIVE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TEST_DATABASE")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project as somebody gets it who clones it now, but for its port: another Diego may be running here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    port = str(free_port()).encode()
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
            if name not in ("Pipfile.lock", "package-lock.json"):
                (tmp_path / name).write_bytes((ROOT / name).read_bytes().replace(b"8000", port))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "--all"], cwd=tmp_path, check=True)
    return tmp_path


class Reader:
    """Does what the README says, in a shell like that of `pipenv shell`."""

    def __init__(self, clone: Path) -> None:
        self._clone = clone
        self._known = replies_in("chatterbot.corpus.english.ai", QUESTION)
        commands = clone / "commands"
        commands.mkdir()
        (commands / "pipenv").symlink_to(clone / ".tools/bin/pipenv")
        path = os.pathsep.join([str(clone / ".venv/bin"), str(commands), os.environ["PATH"]])
        variables = environment(PATH=path, PIPENV_VENV_IN_PROJECT="1", XDG_STATE_HOME=str(clone / "state"))
        self.environment = {
            name: value
            for name, value in variables.items()
            if name not in NOT_A_NEW_USERS and not name.startswith("DIEGO_")
        }

    def run(self, *command: str, **variables: str) -> str:
        """What the command prints."""
        return subprocess.run(
            command,
            cwd=self._clone,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            timeout=INSTALL_SECONDS,
            check=True,
            text=True,
        ).stdout

    @contextmanager
    def serving(self, block: str) -> Iterator[None]:
        """Run a block whose last command is a server, until that is to be stopped by Ctrl-C."""
        output = self._clone / "output.txt"
        with output.open("w") as out:
            shell = subprocess.Popen(
                ["bash", "-ec", block],
                cwd=self._clone,
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            wait_for(lambda: READY.search(output.read_text()) or shell.poll() is not None, seconds=INSTALL_SECONDS)
            assert READY.search(output.read_text()), output.read_text()
            yield
            os.killpg(shell.pid, signal.SIGINT)
            shell.wait(30)
            assert "Diego stops" in output.read_text()
            assert "Traceback" not in output.read_text()
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()

    def chat(self, block: str) -> None:
        with terminal(["bash", "-c", f"cd {self._clone} && {block}"], self.environment) as screen:
            screen.shows("You are talking to Diego. /help helps, Ctrl-D leaves.", ">")
            screen.type(QUESTION + "\r")
            # A long reply goes over several lines of the screen.
            wait_for(lambda: any("".join(reply.split()) in screen.letters() for reply in self._known))
            screen.type(CTRL_D)
            assert screen.status() == 0

    def answers(self, engine: str, name: str, corpus: str) -> None:
        """See that a Diego who is trained on a corpus of the README says what stands there."""
        (self._clone / name).write_text(corpus)
        variables = {"DIEGO_CORPORA": name, "DIEGO_DATABASE_URL": f"sqlite:///{name}.db"}
        printed = self.run("python", "-c", engine.replace(QUESTION, "are you open on sunday"), **variables)
        assert printed in ("No, but you can write to us.\n", "Not on Sundays, sorry.\n")

    def ask(self, *command: str) -> None:
        """Run a block that asks the question, once or more."""
        printed = self.run(*command).splitlines()
        assert printed
        assert set(printed) <= self._known


@needs("curl")
def test_the_count_of_clients(server: Server) -> None:
    (block,) = [text for _, text in BLOCK.findall((ROOT / "README.md").read_text()) if "curl" in text]
    block = block.replace("127.0.0.1:8000", server.address)
    printed = subprocess.run(["bash", "-ec", block], capture_output=True, check=True).stdout
    assert printed == b'{"count":0}'


@only_one_process
@needs("make")
@needs("git")
def test_the_readme_word_for_word(clone: Path) -> None:
    reader = Reader(clone)
    (run, test, pipenv, chat, scripts, library, _lessons, count, table, train, *corpora, why, backup, engine) = (
        BLOCK.findall((clone / "README.md").read_text())
    )
    assert [kind for kind, _ in (run, test, pipenv, chat, scripts, count, train, why, backup)] == ["shell"] * 9
    assert [kind for kind, _ in (library, engine)] == ["python", "python"]

    with reader.serving(run[1]):
        reader.chat(chat[1])
        reader.ask("bash", "-ec", scripts[1])
        reader.ask("python", "-c", library[1])
    # Not all tests in the clone: with this one among them it would not end.
    assert " passed" in reader.run("bash", "-ec", test[1], PYTEST_ADDOPTS="-m 'not server'")
    with reader.serving(pipenv[1]):
        reader.ask("bash", "-ec", scripts[1])
    reader.ask("python", "-c", engine[1])

    (clone / "hours.csv").write_text(table[1])
    printed = reader.run("bash", "-ec", train[1])
    assert "Diego learned 6 statements from 1 of 1 sources" in printed
    assert "Diego forgot hours.csv: 6 statements." in printed
    assert '\n  - "Not on Sundays, sorry."\n' in (clone / "all.yml").read_text()
    printed = reader.run("bash", "-ec", why[1])
    assert "confidence" in printed
    assert "* is Diego's own threshold." in printed
    assert "diego.zip" in reader.run("bash", "-ec", backup[1])
    assert [kind for kind, _ in (table, *corpora)] == ["csv", "jsonl", "yaml", "json"]
    for kind, text in (table, *corpora):
        reader.answers(engine[1], f"hours.{kind}", text)
