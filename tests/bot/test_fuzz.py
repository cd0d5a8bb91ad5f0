from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot import SetupError
from chatbot.bot.corpora import SUFFIXES
from chatbot.bot.diego import Diego
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import learn
from chatbot.settings import Settings
from tests.databases import url_in

CSV = """text,reply
Hi,Hello
What is AI?,A field
how are you,Fine
how do you do,Fine
are you well,Fine
how is it going,Fine
are you fine,Fine
will it rain,No
is rain coming,No
do i need an umbrella,No
will it be wet,No
is it raining,No
你好,你好！
नमस्ते,नमस्ते
"""
BOUNDED = settings(max_examples=200, deadline=None, derandomize=True, database=None)
ANYTHING = st.text(st.characters(), min_size=1, max_size=300)
SENTENCES = st.lists(st.sampled_from([*CSV.replace(",", " ").split(), ".", "?", "\ud800", "2+2", "xyz"]), min_size=1)
BEGINNINGS = (b"", b"text,reply\n", b"text\treply\n", b"conversations:\n- - ", b'{"conversations": [[', b'{"text": "')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "good.csv").write_text(CSV)
    return folder


@pytest.fixture(scope="module")
def diego(folder: Path) -> Iterator[Diego]:
    database = url_in(folder)
    with closing(Diego(Settings(database_url=database, corpora=(str(folder / "good.csv"),)))) as diego:
        yield diego


@pytest.fixture(scope="module")
def storage(folder: Path) -> Iterator[KnowledgeStorage]:
    with closing(KnowledgeStorage(database_uri=url_in(folder, "trained.db"))) as storage:
        learn(storage, (str(folder / "good.csv"),))
        yield storage


@BOUNDED
@given(text=ANYTHING | SENTENCES.map(" ".join), before=ANYTHING)
def test_no_message_makes_him_fail(diego: Diego, text: str, before: str) -> None:
    failed: list[object] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("chatbot.bot.diego.logger.exception", lambda *args: failed.append(args))
        reply = diego.get_response(text, conversation="fuzz", in_response_to=before)
    assert failed == []
    assert reply.text
    assert 0 <= reply.confidence <= 1


@BOUNDED
@given(suffix=st.sampled_from(SUFFIXES), begin=st.sampled_from(BEGINNINGS), content=st.binary(max_size=200))
def test_no_bytes_of_a_training_file_do_harm(
    storage: KnowledgeStorage, folder: Path, suffix: str, begin: bytes, content: bytes
) -> None:
    before = list(storage.pairs()), storage.sources()
    bad = folder / f"bad{suffix}"
    bad.write_bytes(begin + content)
    try:
        learn(storage, (str(folder / "good.csv"), str(bad)), dry_run=True)
    except SetupError:
        with pytest.raises(SetupError):
            learn(storage, (str(bad),))
    finally:
        bad.unlink()
    assert (list(storage.pairs()), storage.sources()) == before
