"""Diego: a chatbot server on Starlette, uvicorn and ChatterBot."""


class SetupError(Exception):
    """Something must change before Diego can start; the message is a sentence that says what, meant to be read."""
