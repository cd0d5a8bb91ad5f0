from pathlib import Path

import numpy as np
import pytest

from chatbot.bot.arrays import (
    Arrays,
    Lists,
    hash_table_arrays,
    hash_table_of,
    hashes,
    load_arrays,
    save_arrays,
    texts_arrays,
    texts_of,
)

TEXTS = ["", "Hi", "", "नमस्ते 😀", "Hi", "é" * 2000, ""]


def test_texts_come_back_as_they_were() -> None:
    texts = texts_of("prompt", texts_arrays("prompt", TEXTS))
    assert list(texts) == TEXTS
    assert [texts[number] for number in range(len(texts))] == TEXTS


def test_there_may_be_no_texts() -> None:
    assert list(texts_of("prompt", texts_arrays("prompt", []))) == []


def test_lists_may_be_empty_and_are_kept_apart() -> None:
    lists = Lists(np.array([1, 2, 3], np.int32), np.array([0, 2, 2, 3]))
    assert len(lists) == 4
    assert [lists[number].tolist() for number in range(4)] == [[], [1, 2], [], [3]]


def test_a_text_has_the_same_hash_in_every_process() -> None:
    assert hashes(["Hi", "नमस्ते"]).tolist() == [1293356558, 3193125243]


def test_half_a_character_has_a_hash() -> None:
    assert len({*hashes(["\ud800", "\ud801"]).tolist()}) == 2
    assert hash_table_of("exact", hash_table_arrays("exact", hashes([]), np.array([], np.int32))).find(["\ud800"]) == []


def test_a_hash_table_finds_all_numbers_of_a_text() -> None:
    texts = [f"text {number % 7}" for number in range(20)]
    table = hash_table_of("exact", hash_table_arrays("exact", hashes(texts), np.arange(20, dtype=np.int32)))
    assert table.find(["text 6", "text 0"]) == [6, 13, 0, 7, 14]
    assert table.find(f"text {number}" for number in range(7, 1000)) == []


def test_a_hash_table_finds_all_numbers_of_a_hash_and_no_others() -> None:
    hashed = np.array([7, 3, 7, 9, 0, 2**32 - 1], np.uint32)
    table = hash_table_of("exact", hash_table_arrays("exact", hashed, np.arange(6, dtype=np.int32)))
    assert table.find_hash(7) == [0, 2]
    assert [table.find_hash(asked) for asked in (9, 0, 2**32 - 1)] == [[3], [4], [5]]
    assert [table.find_hash(asked) for asked in (1, 8, 10)] == [[]] * 3


def test_an_empty_hash_table_finds_nothing() -> None:
    table = hash_table_of("exact", hash_table_arrays("exact", hashes([]), np.array([], np.int32)))
    assert table.find(["Hi"]) == []


def test_arrays_are_read_as_they_were_written_and_large_ones_are_mapped(tmp_path: Path) -> None:
    arrays: Arrays = {
        "small": np.array([1.5, -2], np.float32),
        "empty": np.zeros((0, 3), np.int32),
        "large": np.arange(300_000, dtype=np.int64),
    }
    save_arrays(tmp_path, arrays)
    loaded = load_arrays(tmp_path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array)
    assert [name for name in loaded if isinstance(loaded[name].base, np.memmap)] == ["large"]


@pytest.mark.parametrize("content", [b"nonsense of some length, which is no array", b"\x93NUMPY\x01\0"])
def test_what_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.npy").write_bytes(content)
    with pytest.raises(ValueError, match="."):
        load_arrays(tmp_path)
