import sqlite3
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.bot.forgotten import MOST_WAITING, Forgotten
from tests.diaries import ANN, BOB, diary_in, say


def test_only_who_was_forgotten_is_in_it(tmp_path: Path) -> None:
    with closing(diary_in(tmp_path)) as diary:
        diary.forget(ANN)
        diary.forget(ANN)
        assert ANN in diary.forgotten
        assert BOB not in diary.forgotten
        assert diary.forgotten.count() == 1


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
