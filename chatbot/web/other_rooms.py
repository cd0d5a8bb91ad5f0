"""The room as it is at other processes: who is there, and that something was said."""

import json
from collections.abc import Callable
from contextlib import suppress

from chatbot.shared.link import Link, Unreachable
from chatbot.shared.register import NAME, Here, Register

BELL = "room"


class OtherRooms:
    """How the processes tell each other what goes on in the room; what is said they find in the database.

    While Redis does not answer, each process lets in who has a name that nobody has there, and looks for itself.
    """

    def __init__(self, link: Link, register: Register) -> None:
        self._link = link
        self._register = register
        self.claim = register.claim

    async def listen(self, heard: Callable[[], None], typing: Callable[[str], None]) -> None:
        """Call `heard` whenever it is to be looked what is new, and `typing` with the name of somebody who types."""

        def rung(text: str) -> None:
            said = json.loads(text)
            if said["process"] == self._link.process:
                return
            if "typing" in said:
                typing(said["typing"])
            else:
                heard()

        await self._link.hang(BELL, rung)
        self._link.on_up.append(heard)

    async def tell(self) -> None:
        """Have the others look what is new."""
        with suppress(Unreachable):
            await self._register.say_changes()
            await self._ring()

    async def tell_typing(self, name: str) -> None:
        """Have them show that somebody types."""
        with suppress(Unreachable):
            await self._ring(typing=name)

    def take(self, key: str, visitor: str, here: Here) -> None:
        """Say that a visitor is here under a name."""
        self._register.note(NAME, key, json.dumps([visitor, *here]))

    def release(self, key: str) -> None:
        """Say that nobody is here any more under a name."""
        self._register.note(NAME, key, "")

    async def people(self) -> dict[str, Here] | None:
        """Those who are there, by the keys of their names; None while Redis does not answer."""
        try:
            return await self._register.people()
        except Unreachable:
            return None

    async def _ring(self, **said: str) -> None:
        await self._link.ring(BELL, json.dumps({"process": self._link.process, **said}))
