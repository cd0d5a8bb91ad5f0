import pytest
from psycopg import DataError, Error, InterfaceError, OperationalError
from psycopg.errors import (
    AdminShutdown,
    DiskFull,
    InsufficientPrivilege,
    LockNotAvailable,
    ReadOnlySqlTransaction,
    UndefinedColumn,
    UniqueViolation,
)

from chatbot.bot.postgresql import is_damaged, is_unavailable, sentence

NAME = "postgresql+psycopg://diego:***@db/diego"


@pytest.mark.parametrize(
    "error", [OperationalError, InterfaceError, AdminShutdown, DiskFull, LockNotAvailable, ReadOnlySqlTransaction]
)
def test_what_is_no_fault_of_what_was_asked_is_told_from_what_is(error: type[Error]) -> None:
    assert is_unavailable(error())
    assert not is_damaged(error())


@pytest.mark.parametrize("error", [DataError, UniqueViolation, UndefinedColumn])
def test_other_errors_are_the_fault_of_what_was_asked(error: type[Error]) -> None:
    assert not is_unavailable(error())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LockNotAvailable(), "is locked by another program. Stop that program"),
        (UndefinedColumn("no x\nLINE 1: ..."), "has tables of another program or version: no x. Name another one"),
        (InsufficientPrivilege("permission denied"), "may not do what Diego needs: permission denied. Make the user"),
        (OperationalError("connection refused\n\tIs it running?"), "cannot be reached: connection refused. See that"),
        (UniqueViolation("twice\nDETAIL: Key (visitor)=(tiramisu)"), "cannot be used: twice. Name another one with"),
    ],
)
def test_sentences_name_the_database_the_reason_and_the_way_out(error: Error, said: str) -> None:
    found = sentence(NAME, error)
    assert NAME in found
    assert said in found
    assert "tiramisu" not in found
