"""What all skills are."""

import re
from typing import Any, ClassVar

from chatterbot.conversation import Statement
from chatterbot.logic import LogicAdapter

_LOOKED_AT = 120
_CLAUSE_END = re.compile(r"[.!?;,]\s+|\n")
_MOST_CLAUSES = 4


class Skill(LogicAdapter):
    """A logic adapter that computes its answer. Threads share it, so it keeps nothing of what is said.

    `hint` is what occurs in every message that may concern it, within the first 120 characters, in lower case.
    """

    hint: ClassVar[re.Pattern[str]] = re.compile("")

    by_clause: ClassVar[bool] = False
    """Whether a question may stand beside something else, as in: what day is it, I've lost track."""

    def answer(self, text: str) -> str | None:  # noqa: ARG002 - for those that compute one
        """The answer to a message, None if it does not concern this skill."""
        raise self.AdapterMethodNotImplementedError

    def can_process(self, statement: Statement) -> bool:
        """Whether a message has the hint; cheap, as it is asked about every message."""
        return self.hint.search(statement.text[:_LOOKED_AT].lower()) is not None

    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        """The answer with confidence 1, or an empty text with confidence 0."""
        answer = self.answer(statement.text)
        if answer is None and self.by_clause:
            clauses = _CLAUSE_END.split(statement.text)[:_MOST_CLAUSES]
            answers = map(self.answer, clauses if len(clauses) > 1 else ())
            answer = next((answer for answer in answers if answer), None)
        # ChatterBot prefers what two adapters say alike, be it nothing: so each says its nothing in its own name.
        reply = Statement(answer or "", in_response_to=statement.text if answer else self.class_name)
        reply.confidence = 1 if answer else 0
        return reply
