import sqlite3
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from chatbot.bot.forgotten import MOST_WAITING, REST, Forgotten
from tests.databases import only_sqlite
from tests.diaries import ANN, BOB, diary_in, say


def test_only_who_was_forgotten_is_in_it(tmp_path: Path) -> None:
    with closing(diary_in(tmp_path)) as diary:
        diary.forget(ANN)
        diary.forget(ANN)
        assert ANN in diary.forgotten
        assert BOB not in diary.forgotten
        assert diary.forgotten.count() == 1


@only_sqlite
def test_what_an_interrupted_server_has_left_is_wiped_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(diary_in(tmp_path)) as diary:
        say(diary, ANN, *[f"{number} tiramisu" for number in range(100)])
        with monkeypatch.context() as interrupted:
            interrupted.setattr(Forgotten, "wipe", lambda _: False)
            diary.forget(ANN)
        written = [(tmp_path / name).read_bytes() for name in ("diego.db", "diego.db-wal")]
    for name, content in zip(("diego.db", "diego.db-wal"), written, strict=True):
        (tmp_path / name).write_bytes(content)  # as if the process had been killed
    assert any(b"tiramisu" in content for content in written)
    with closing(diary_in(tmp_path)):
        assert not any(b"tiramisu" in file.read_bytes() for file in tmp_path.glob("diego.db*"))
        # once is enough
        monkeypatch.setattr(Forgotten, "_vacuum", lambda _: pytest.fail("There is nothing to wipe."))
        diary_in(tmp_path).close()


@only_sqlite
def test_a_few_wait_while_others_read_and_wipe_out_what_the_rest_has_left(tmp_path: Path) -> None:
    visitors = [f"{number:032x}" for number in range(MOST_WAITING + 4)]
    with closing(diary_in(tmp_path)) as diary, ThreadPoolExecutor(len(visitors)) as pool:
        for visitor in visitors:
            say(diary, visitor, "tiramisu")
        with closing(sqlite3.connect(tmp_path / "diego.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM turn").fetchone()
            waiting = {pool.submit(diary.forget, visitor) for visitor in visitors}
            while len(waiting) > MOST_WAITING:
                refused, waiting = wait(waiting, 10, FIRST_COMPLETED)
                assert [one.result() for one in refused] == [False] * len(refused) != []
        assert all(one.result() for one in waiting)
        assert not any(b"tiramisu" in file.read_bytes() for file in tmp_path.glob("diego.db*"))


@only_sqlite
def test_one_wipe_is_for_all_who_have_come_while_another_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, go = Event(), Event()
    vacuum = Forgotten._vacuum  # noqa: SLF001
    times: list[int] = []

    def slowly(self: Forgotten) -> bool:
        times.append(1)
        runs.set()
        assert go.wait(30)
        return vacuum(self)

    visitors = [f"{number:032x}" for number in range(MOST_WAITING - 1)]
    with closing(diary_in(tmp_path)) as diary, ThreadPoolExecutor(MOST_WAITING) as pool:
        for visitor in (ANN, *visitors):
            say(diary, visitor, "tiramisu")
        monkeypatch.setattr(Forgotten, "_vacuum", slowly)
        forgetting = [pool.submit(diary.forget, ANN)]
        assert runs.wait(30)
        forgetting += [pool.submit(diary.forget, visitor) for visitor in visitors]
        go.set()
        assert all(one.result(30) for one in forgetting)
        assert len(times) < 4
        assert not any(b"tiramisu" in file.read_bytes() for file in tmp_path.glob("diego.db*"))


@only_sqlite
def test_between_two_wipes_others_can_write_for_longer_than_one_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    slept: list[float] = []

    def takes_two_seconds(_: Forgotten) -> bool:
        nonlocal now
        now += 2
        return True

    monkeypatch.setattr(Forgotten, "_vacuum", takes_two_seconds)
    monkeypatch.setattr("chatbot.bot.forgotten.time.monotonic", lambda: now)
    monkeypatch.setattr("chatbot.bot.forgotten.time.sleep", slept.append)
    with closing(diary_in(tmp_path)) as diary:
        diary.forget(ANN)
        now += 1
        diary.forget(BOB)
    assert slept == [0, 2 * REST - 1]
