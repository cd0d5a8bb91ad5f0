"""What Diego said last in each conversation, so that he does not repeat himself and can go on."""

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

MOST_CONVERSATIONS = 10_000
"""As many as there may be connections by default; each takes up to 2 kB, and what is not here is recalled."""

MOST_REPLIES = 12


class Memory:
    """The last replies of the conversations that were talked in last. Threads may share it.

    `recall` says what was replied, in order and at most so many times, in a conversation that is not in memory.
    """

    def __init__(self, recall: Callable[[str, int], Sequence[str]] = lambda _conversation, _limit: ()) -> None:
        self._recall = recall
        # Lists, as a deque takes 700 bytes and most are short.
        self._replies: OrderedDict[str, list[str]] = OrderedDict()
        # For what other threads must not come between. The last reply needs none: it is there as long as it is held.
        self._lock = threading.Lock()

    def last(self, conversation: str) -> str:
        """The last reply in a conversation, an empty text if there is none."""
        said = self._said(conversation)
        return said[-1] if said else ""

    def last_replies(self, conversation: str) -> list[str]:
        """The last replies in a conversation, in order."""
        said = self._said(conversation)
        with self._lock:
            return list(said)

    def choose(self, conversation: str, replies: Sequence[str]) -> str:
        """One of the replies by chance, but of those that were not given lately while there are any."""
        said = self.last_replies(conversation)
        fresh = [reply for reply in replies if reply not in said]
        if fresh:
            return random.choice(fresh)  # noqa: S311 - no secret
        return min(replies, key=lambda reply: len(said) - said[::-1].index(reply))

    def note(self, conversation: str, reply: str) -> None:
        """Remember a reply, if the conversation is in memory; otherwise it is recalled when it goes on."""
        with self._lock:
            if conversation in self._replies:
                said = self._replies[conversation]
                said.append(reply)
                del said[:-MOST_REPLIES]
                self._replies.move_to_end(conversation)

    def forget(self, conversation: str) -> None:
        """As if nothing had been said in a conversation."""
        with self._lock:
            self._replies.pop(conversation, None)

    def forget_all(self) -> None:
        """As if nothing had been said at all; what was is recalled."""
        with self._lock:
            self._replies.clear()

    def _said(self, conversation: str) -> list[str]:
        with self._lock:
            said = self._replies.get(conversation)
        if said is None:
            recalled = [*self._recall(conversation, MOST_REPLIES)][-MOST_REPLIES:]
            with self._lock:
                said = self._replies.setdefault(conversation, recalled)
                if len(self._replies) > MOST_CONVERSATIONS:
                    self._replies.popitem(last=False)
        return said
