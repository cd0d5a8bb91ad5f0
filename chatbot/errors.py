"""The one kind of error that people are meant to read."""


class SetupError(Exception):
    """Something outside the code must change before Diego can start; the message is a sentence that says what."""
