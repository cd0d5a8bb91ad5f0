"""The server with the tests' echo in Diego's place: the most that any chatbot can reach in it."""

import conftest  # noqa: F401 - puts the echo there
from app import app
from chatbot.web.server import main

__all__ = ["app"]

if __name__ == "__main__":
    main("benchmarks.echo:app")
