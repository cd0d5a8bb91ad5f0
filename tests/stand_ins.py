"""The app with a chatbot that does on command what a real one does at its worst."""

import sys
import time

from app import app
from providerconf import provider

__all__ = ["app"]


class StandIn:
    """An echo, but on command it is worse.

    `slow SECONDS` takes that long, `long CHARACTERS` is answered so, `fail` and `exit` raise, `conversation` gives its
    id.
    """

    def get_response(self, prompt: str, *, conversation: str) -> str:
        command, _, argument = prompt.partition(" ")
        if command == "slow":
            time.sleep(float(argument))
        if command == "long":
            return "x" * int(argument)
        if command == "fail":
            raise RuntimeError("as asked for")
        if command == "exit":
            sys.exit("as asked for")
        return conversation if command == "conversation" else prompt


@provider(scope="app")
def diego() -> StandIn:
    return StandIn()
