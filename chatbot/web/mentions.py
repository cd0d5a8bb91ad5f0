"""Who mentions Diego in the room asks him something."""

import re

# Neither in a word nor in an address: not in me@diego.org, @diego.org, @diego@example.org, example.org/@diego.
_MENTION = re.compile(r"(?<![\w@./+-])@diego(?![\w@-]|[.'’]\w)", re.IGNORECASE)
_MENTION_AND_SPACE = re.compile(rf"[\s,]*{_MENTION.pattern}[,;:]*\s*", re.IGNORECASE)


def asks_diego(text: str) -> bool:
    """Whether a message mentions him."""
    return _MENTION.search(text) is not None


def prompt_for_diego(text: str) -> str:
    """What he is asked in a message that mentions him."""
    return _MENTION_AND_SPACE.sub(" ", text).strip()
