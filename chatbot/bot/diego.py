"""Diego: ChatterBot's ChatBot, with what makes it fit for a server."""

import logging
from typing import Any

from chatterbot import ChatBot
from chatterbot.conversation import Statement
from chatterbot.logic import LogicAdapter
from chatterbot.response_selection import get_random_response

from chatbot.bot.index import PromptIndex
from chatbot.bot.training import train
from chatbot.bot.words import WordTagger
from chatbot.settings import Settings

# ChatterBot logs at INFO what people say, escape characters included.
logging.getLogger("chatterbot").setLevel(logging.WARNING)

THRESHOLD = 0.6
"""How near a prompt must be for its reply to be Diego's; below it he says that he does not know."""


class NearestPrompt(LogicAdapter):
    """Answers with a reply to the nearest known prompt, or else with a default response and confidence 0."""

    def process(self, statement: Statement, _parameters: dict[str, Any] | None = None) -> Statement:
        """Reply to a statement; the confidence is the nearness of the prompt."""
        match = self.chatbot.index.nearest(statement.text)
        if match is None or match.nearness < THRESHOLD:
            return self.get_default_response(statement)
        replies = [Statement(reply, in_response_to=match.prompt) for reply in match.replies]
        reply = self.select_response(statement, replies)
        reply.confidence = match.nearness
        return reply


class Diego(ChatBot):
    """A chatbot that knows its corpora, learns nothing from strangers and says so when it does not know.

    Making one trains it if need be. Raises SetupError. Threads may share it.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            "Diego",
            storage_adapter="chatbot.bot.storage.KnowledgeStorage",
            database_uri=settings.database_url,
            logic_adapters=["chatbot.bot.diego.NearestPrompt"],
            tagger=WordTagger,
            read_only=True,
            default_response=settings.default_responses,
            response_selection_method=get_random_response,
        )
        try:
            train(self.storage, settings.corpora)
            self.index = PromptIndex((pair.prompt, pair.reply) for pair in self.storage.pairs())
        except BaseException:
            self.close()
            raise

    def get_response(self, statement: Statement | str | dict[str, Any] | None = None, **kwargs: Any) -> Statement:
        """The reply to a statement, as ChatterBot's."""
        # Unless told what came before, ChatterBot loads the whole conversation to find out.
        return super().get_response(statement, **{"in_response_to": "", **kwargs})

    def close(self) -> None:
        """Close the database."""
        self.storage.close()
