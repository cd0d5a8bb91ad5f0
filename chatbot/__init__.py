"""Diego: a chatbot server on Starlette, uvicorn and ChatterBot."""

VERSION = "0.1.0-dev"
"""As in CHANGELOG.md; -dev until it is released."""


class SetupError(Exception):
    """Something must change before Diego can start; the message is a sentence that says what, meant to be read."""
