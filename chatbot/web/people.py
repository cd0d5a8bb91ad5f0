"""The people in the room, and the names under which they are there."""

import re
import unicodedata

from chatbot.messages import RefusedMessage, read_prompt
from chatbot.shared.register import Here

DIEGO = "Diego"
MOST_NAME_CHARACTERS = 32

NAME_EXPECTED = f"A name has 1 to {MOST_NAME_CHARACTERS} characters that can be seen. Choose another one."
NAME_TAKEN = "The name {} is taken at the moment. Choose another one."
NAME_RESERVED = "The name {} is not to be had: names like that are given by the server. Choose another one."

_GUEST = re.compile(r"guest ?\d+")
# What is not shown (Default_Ignorable_Code_Point): two names that differ in it only look the same.
_IGNORABLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


class Person:
    """Somebody who is here under a name, in one tab or more."""

    def __init__(self, here: Here, visitor: str) -> None:
        self.here = here
        self.visitor = visitor
        self.tabs = 0

    @property
    def name(self) -> str:
        """The name."""
        return self.here.name


class People(dict[str, Person]):
    """Everybody who is here, from connecting to leaving, by the keys of their names."""

    def find(self, visitor: str, name: str | None) -> Person | None:
        """Who the visitor is already, under that name if there is one. Raises RefusedMessage."""
        if name is None:
            return next((person for person in self.values() if person.visitor == visitor), None)
        key = name_key(name)
        here = self.get(key)
        if here and here.visitor == visitor:
            return here
        if here or key == name_key(DIEGO):
            raise RefusedMessage(NAME_TAKEN.format(name))
        return None

    def guest_name(self) -> str:
        """The first that nobody has."""
        number = 1
        while name_key(f"Guest {number}") in self:
            number += 1
        return f"Guest {number}"


def read_name(given: object) -> str:
    """The name that somebody wants to have. Raises RefusedMessage."""
    if not isinstance(given, str):
        raise RefusedMessage(NAME_EXPECTED)
    try:
        name = " ".join(read_prompt(given).split())
    except RefusedMessage:
        raise RefusedMessage(NAME_EXPECTED) from None
    if len(name) > MOST_NAME_CHARACTERS or not name_key(name):
        raise RefusedMessage(NAME_EXPECTED)
    return name


def name_key(name: str) -> str:
    """What is the same for names that look the same."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(_IGNORABLE.sub("", folded).split())


def is_guest(key: str) -> bool:
    """Whether a name of that key is one that the server gives."""
    return _GUEST.fullmatch(key) is not None
