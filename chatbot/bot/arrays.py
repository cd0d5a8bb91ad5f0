"""What is worked out while training, as files of numpy's that many processes can share in memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


def save_arrays(folder: Path, arrays: Arrays) -> None:
    """Write each array into a file of its name."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_arrays(folder: Path) -> Arrays:
    """The arrays of a folder, mapped into memory. Raises OSError or ValueError if a file is damaged."""
    return {
        # As plain arrays: numpy's class for mapped ones takes its time for every slice.
        file.stem: np.asarray(
            np.load(file, mmap_mode="r" if file.stat().st_size > _MAPPED else None, allow_pickle=False)
        )
        for file in folder.glob("*.npy")
    }


_MAPPED = 1 << 20
"""Below this size in bytes a copy is quicker than a map."""


class Texts:
    """A list of texts in two arrays. A million of them take the room of their characters."""

    def __init__(self, characters: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._characters = memoryview(characters)  # type: ignore[arg-type]
        self._ends = ends

    def __getitem__(self, number: int) -> str:
        start = int(self._ends[number - 1]) if number else 0
        return str(self._characters[start : int(self._ends[number])], "utf-8")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def __len__(self) -> int:
        return len(self._ends)


def texts_arrays(name: str, texts: Iterable[str]) -> Arrays:
    """The arrays of texts, for `texts_of`."""
    encoded = [text.encode() for text in texts]
    return {
        f"{name}_characters": np.frombuffer(b"".join(encoded), np.uint8),
        f"{name}_ends": np.cumsum([len(text) for text in encoded], dtype=np.int64),
    }


def texts_of(name: str, arrays: Arrays) -> Texts:
    """The texts of that name."""
    return Texts(arrays[f"{name}_characters"], arrays[f"{name}_ends"])


class Lists:
    """A list of lists of numbers in two arrays."""

    def __init__(self, items: Ints, ends: NDArray[np.int64]) -> None:
        self._items = items
        self._ends = ends

    def __getitem__(self, number: int) -> Ints:
        start = int(self._ends[number - 1]) if number else 0
        return self._items[start : int(self._ends[number])]

    def __len__(self) -> int:
        return len(self._ends)


def hash_of(text: str) -> int:
    """A number of 32 bits that is the same in every process; different texts may have the same."""
    return crc32(text.encode(errors="surrogatepass"))


def hashes(texts: Iterable[str]) -> NDArray[np.uint32]:
    """The hash of each text."""
    return np.fromiter(map(hash_of, texts), np.uint32)


class HashTable:
    """Finds numbers by the hashes of texts."""

    def __init__(self, hashes: NDArray[np.uint32], numbers: Ints) -> None:
        self._hashes = hashes
        self._numbers = numbers
        # Most texts that are looked for are not there, and a byte for what may be there says so in no time.
        self._mask = (1 << (8 * len(hashes) + 1).bit_length()) - 1
        there = np.zeros(self._mask + 1, np.uint8)
        there[hashes & np.uint32(self._mask)] = 1
        self._there = there.tobytes()

    def find(self, texts: Iterable[str]) -> list[int]:
        """The numbers of texts that have the same hash as one of these, and thus perhaps are the same."""
        return [number for text in texts for number in self.find_hash(hash_of(text))]

    def find_hash(self, asked: int) -> list[int]:
        """The numbers that have this hash."""
        if not self._there[asked & self._mask]:
            return []
        key = np.uint32(asked)
        start, end = self._hashes.searchsorted(key), self._hashes.searchsorted(key, "right")
        found: list[int] = self._numbers[start:end].tolist()
        return found


def hash_table_arrays(name: str, hashed: NDArray[np.uint32], numbers: Ints) -> Arrays:
    """The arrays of a hash table, for `hash_table_of`."""
    order = np.argsort(hashed, kind="stable")
    return {f"{name}_hashes": hashed[order], f"{name}_numbers": numbers[order]}


def hash_table_of(name: str, arrays: Arrays) -> HashTable:
    """The hash table of that name."""
    return HashTable(arrays[f"{name}_hashes"], arrays[f"{name}_numbers"])
