"""What the server of the room sends."""

from typing import Self

from pydantic import BaseModel, ValidationError

from chatbot.terminal.connecting import Unreachable


class Received(BaseModel):
    """What is received; it may have more fields than are known here."""

    @classmethod
    def read(cls, data: object) -> Self:
        """The same, if it is what it should be. Raises Unreachable."""
        try:
            return cls.model_validate(data)
        except ValidationError:
            raise Unreachable(
                "The server says what this client does not understand. See that both are of the same version."
            ) from None


class Person(Received):
    """Who joins, leaves or types."""

    name: str


class Welcome(Person):
    """Who one is, and who is there."""

    people: list[str]


class Message(Person):
    """What somebody says."""

    number: int
    text: str
    answers: int | None


class History(Received):
    """What was said last."""

    messages: list[Message]


class Notice(Received):
    """What the server has to say itself."""

    text: str


class Acknowledgement(Received):
    """What became of a message: it has a number, or it was refused, perhaps only for some seconds."""

    number: int | None = None
    error: str | None = None
    retry_after: float | None = None
