import asyncio
from pathlib import Path

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from chatbot.terminal.lines import history, piped, typed
from tests.terminals import CTRL_C, CTRL_D


@pytest.mark.anyio
@pytest.mark.parametrize("leaving", ["/quit\r", CTRL_D])
async def test_what_is_typed_comes_line_by_line_until_the_person_leaves(leaving: str) -> None:
    with create_pipe_input() as keyboard:
        keyboard.send_text(f" one \r\r  \rnot this{CTRL_C}two\r/help\r{leaving}three\r")
        session: PromptSession[str] = PromptSession(input=keyboard, output=DummyOutput())
        assert [line async for line in typed(session)] == ["one", "two", "/help"]


@pytest.mark.anyio
async def test_without_standard_input_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert await asyncio.wait_for(piped().get(), 30) is None


def test_what_was_typed_is_kept_where_only_the_owner_reads_it(state: Path) -> None:
    assert isinstance(history(), FileHistory)
    assert (state / "history").stat().st_mode & 0o777 == 0o600


def test_where_there_can_be_no_file_the_history_is_in_memory(state: Path) -> None:
    state.write_text("in the way")
    assert isinstance(history(), InMemoryHistory)
