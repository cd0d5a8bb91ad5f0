import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from chatbot.bot import cache
from chatbot.bot.arrays import Arrays
from chatbot.bot.cache import _folder, cached_knowledge, knowledge_of, training, work_out, work_out_elsewhere
from chatbot.bot.formats import Pair
from chatbot.bot.knowledge import Knowledge, knowledge_arrays
from chatbot.bot.storage import KnowledgeStorage
from chatbot.bot.training import learn
from tests.databases import only_sqlite, url_in


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnowledgeStorage]:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("text,reply\nHi,Hello\nBye,See you\n")
    with closing(KnowledgeStorage(database_uri=url_in("", "diego.db"))) as storage:
        learn(storage, ("a.csv",))
        yield storage


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has an item for each time that the arrays were worked out."""
    times: list[int] = []

    def count(pairs: Iterable[Pair], before: Arrays | None = None) -> Arrays:
        times.append(1)
        return knowledge_arrays(pairs, before)

    monkeypatch.setattr(cache, "knowledge_arrays", count)
    return times


def prompts(knowledge: Knowledge) -> set[str]:
    return {*knowledge.index.prompts}


def test_it_is_built_once_and_then_loaded(storage: KnowledgeStorage, built: list[int]) -> None:
    first, second = knowledge_of(storage), knowledge_of(storage)
    assert len(built) == 1
    assert prompts(first) == prompts(second) == {"Hi", "Bye"}
    assert first.threshold == second.threshold
    assert first.find("hi", "hi") == second.find("hi", "hi") != []


def test_new_knowledge_is_built_and_takes_the_place_of_the_old(storage: KnowledgeStorage, built: list[int]) -> None:
    knowledge_of(storage)
    (old,) = _folder(storage).glob("*/")
    Path("b.csv").write_text("text,reply\nSun,Moon\n")
    learn(storage, ("b.csv",))
    assert prompts(knowledge_of(storage)) == {"Hi", "Bye", "Sun"}
    (new,) = _folder(storage).glob("*/")
    assert len(built) == 2
    assert new != old


def test_what_is_built_is_mapped_into_memory_like_what_is_loaded(
    storage: KnowledgeStorage, built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.bot.arrays._MAPPED", 0)
    for _ in ("built", "loaded"):
        assert isinstance(knowledge_of(storage).index.prompt_source.base, np.memmap)
    assert len(built) == 1


def test_another_format_is_built_anew(
    storage: KnowledgeStorage, built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge_of(storage)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    knowledge_of(storage)
    assert len(built) == 2


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if len(content) < 100 else 20] ^= 0x0F
    path.write_bytes(content)


DAMAGES = [_truncate, _damage, Path.unlink, lambda path: path.write_bytes(b"")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_anew(
    storage: KnowledgeStorage, built: list[int], caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    assert callable(damage)
    knowledge_of(storage)
    (folder,) = _folder(storage).glob("*/")
    whole = shutil.copytree(folder, "whole")
    for number, name in enumerate(sorted(file.name for file in folder.iterdir()), 2):
        damage(folder / name)
        caplog.clear()
        assert prompts(knowledge_of(storage)) == {"Hi", "Bye"}
        assert caplog.messages == [f"The cache {folder} is damaged and is made anew."]
        assert len(built) == number
        knowledge_of(storage)
        assert len(built) == number
        assert {file.name for file in folder.iterdir()} == {file.name for file in Path(whole).iterdir()}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_one_wrong_bit_anywhere_is_noticed(
    storage: KnowledgeStorage, built: list[int], caplog: pytest.LogCaptureFixture, share: float
) -> None:
    rows = "\n".join(f"What is {number}?,It is the number {number}" for number in range(2000))
    Path("many.csv").write_text(f"text,reply\n{rows}\n")
    learn(storage, ("many.csv",))
    right = {*knowledge_of(storage).index.prompts}
    (folder,) = _folder(storage).glob("*/")
    large = [file for file in folder.glob("*.npy") if file.stat().st_size > 20_000]
    assert len(large) > 3
    for number, file in enumerate(large, 2):
        content = bytearray(file.read_bytes())
        content[int(len(content) * share)] ^= 1
        file.write_bytes(content)
        caplog.clear()
        assert prompts(knowledge_of(storage)) == right
        assert caplog.messages == [f"The cache {folder} is damaged and is made anew."]
        assert len(built) == number


def test_without_a_cache_it_is_built_each_time(
    storage: KnowledgeStorage, built: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    _folder(storage).touch()
    for times in (1, 2):
        assert prompts(knowledge_of(storage)) == {"Hi", "Bye"}
        assert len(built) == times
    assert len(caplog.messages) == 2
    assert "cannot be written" in caplog.messages[0]
    assert caplog.messages[0].endswith("The next start will take longer.")


def test_a_full_disk_leaves_no_cache(
    storage: KnowledgeStorage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, _arrays: Arrays) -> None:
        (folder / "half.npy").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "save_arrays", full)
    assert prompts(knowledge_of(storage)) == {"Hi", "Bye"}
    assert "No space left on device" in caplog.messages[0]
    assert [file.name for file in _folder(storage).iterdir()] == ["lock"]


def test_the_cache_is_no_corpus(storage: KnowledgeStorage) -> None:
    knowledge_of(storage)
    assert [one.name for one in learn(storage, (".",))] == ["a.csv"]


def test_whoever_does_not_wait_is_told_that_somebody_else_is_training(storage: KnowledgeStorage) -> None:
    with training(storage), pytest.raises(BlockingIOError):
        knowledge_of(storage, wait=False)
    assert prompts(knowledge_of(storage, wait=False)) == {"Hi", "Bye"}


def test_others_wait_for_what_is_worked_out_while_training(storage: KnowledgeStorage, built: list[int]) -> None:
    with ThreadPoolExecutor(1) as pool:
        with training(storage):
            waiting = pool.submit(knowledge_of, storage)
            Path("b.csv").write_text("text,reply\nSun,Moon\n")
            learn(storage, ("b.csv",))
            work_out(storage)
        assert prompts(waiting.result(30)) == {"Hi", "Bye", "Sun"}
    assert len(built) == 1


def test_another_process_works_it_out_when_nobody_trains(storage: KnowledgeStorage, built: list[int]) -> None:
    assert cached_knowledge(storage) is None
    with training(storage):
        process = work_out_elsewhere(storage)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
    assert process.wait(60) == 0
    cached = cached_knowledge(storage)
    assert cached is not None
    assert prompts(cached) == {"Hi", "Bye"}
    assert built == []


@only_sqlite
def test_what_another_process_cannot_work_out_it_says_in_a_sentence(
    storage: KnowledgeStorage, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("diego.db-wal").unlink(missing_ok=True)
    Path("diego.db").write_bytes(b"no database" * 100)
    assert work_out_elsewhere(storage).wait(60) == 1
    assert capfd.readouterr().err.startswith("The database diego.db is damaged")
