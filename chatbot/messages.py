"""What a message may be, and what is said to one that may not."""

import math
import random
import re
import unicodedata

MAX_CHARACTERS = 1000
BLANK = "I'm listening. Type something and send it."
TOO_LONG = f"That is too long for me: I read up to {MAX_CHARACTERS:,} characters at a time. Could you say it shorter?"
TOO_FAST = "That was a lot in a short time. You can go on in {} s."
BUSY = "So many are asking me at the moment that I have to let you wait. Please try again in {} s."
MOMENT_SECONDS = (1.0, 3.0)
APOLOGY = "Sorry, something went wrong while I was thinking about that. Please try again."

_SHRINKING = 4  # code points that normalisation can make one, at the most
_REMOVED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # controls and surrogates, but not \t and \n
_LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85]")
# Format characters are not removed: they join emoji and shape Persian words. What is not assigned to this Python's
# version of Unicode may be a new emoji.
_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")


class RefusedMessage(ValueError):
    """The message is answered with a fixed sentence, the text of this error.

    `id` is that of the message, if it could be read.
    """

    id: str | None = None


class NotNow(RefusedMessage):
    """The same may be asked again after some seconds; the sentence has a place for them."""

    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence.format(math.ceil(seconds)))
        self.retry_after = seconds


def in_a_moment(sentence: str) -> NotNow:
    """The same in a second or some more, at random, so that not all come back at once."""
    return NotNow(sentence, round(random.uniform(*MOMENT_SECONDS), 1))  # noqa: S311 - no secret


def read_prompt(message: str) -> str:
    """What is said in a message: in NFC, without control characters and surrogates, stripped.

    Raises RefusedMessage if that is nothing, or too much.
    """
    if len(message) > MAX_CHARACTERS * _SHRINKING:
        raise RefusedMessage(TOO_LONG)
    text = unicodedata.normalize("NFC", message)
    if len(text) > MAX_CHARACTERS:
        raise RefusedMessage(TOO_LONG)
    prompt = _REMOVED.sub("", _LINE_BREAKS.sub("\n", text)).strip()
    if all(unicodedata.category(character) in _INVISIBLE for character in prompt):
        raise RefusedMessage(BLANK)
    return prompt
