"""What Diego said last in each conversation, so that he does not repeat himself and can go on."""

import random
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

MOST_CONVERSATIONS = 20_000
MOST_REPLIES = 12


class Memory:
    """The last replies of the conversations that were talked in last. Threads may share it."""

    def __init__(self) -> None:
        self._replies: OrderedDict[str, deque[str]] = OrderedDict()
        # For what other threads must not come between. The last reply needs none: it is there as long as it is held.
        self._lock = threading.Lock()

    def last(self, conversation: str) -> str:
        """The last reply in a conversation, an empty text if there is none."""
        said = self._replies.get(conversation)
        return said[-1] if said else ""

    def choose(self, conversation: str, replies: Sequence[str]) -> str:
        """One of the replies by chance, but of those that were not given lately while there are any."""
        with self._lock:
            said = list(self._replies.get(conversation, ()))
        fresh = [reply for reply in replies if reply not in said]
        if fresh:
            return random.choice(fresh)  # noqa: S311 - no secret
        return min(replies, key=lambda reply: len(said) - said[::-1].index(reply))

    def note(self, conversation: str, reply: str) -> None:
        """Remember a reply."""
        with self._lock:
            self._replies.setdefault(conversation, deque(maxlen=MOST_REPLIES)).append(reply)
            self._replies.move_to_end(conversation)
            if len(self._replies) > MOST_CONVERSATIONS:
                self._replies.popitem(last=False)
