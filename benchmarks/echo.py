"""The server with an echo in Diego's place: the most that any chatbot can reach in it."""

from app import app
from chatbot.web.server import main
from providerconf import provider

__all__ = ["app"]


class Echo:
    """Says what was said."""

    def get_response(self, prompt: str, *, conversation: str) -> str:  # noqa: ARG002 - Diego's signature
        """Say it again."""
        return prompt


@provider(scope="app")
def diego() -> Echo:
    """Take the bot's place."""
    return Echo()


if __name__ == "__main__":
    main("benchmarks.echo:app")
