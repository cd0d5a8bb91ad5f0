"""The chatbot as tutorials write it: stock ChatterBot, asked on the event loop."""

import os
import sys

import uvicorn
from chatterbot import ChatBot
from chatterbot.tagging import LowercaseTagger
from chatterbot.trainers import ChatterBotCorpusTrainer
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

os.environ["CHATTERBOT_SHOW_TRAINING_PROGRESS"] = "0"
diego = ChatBot("Diego", tagger=LowercaseTagger)
ChatterBotCorpusTrainer(diego).train("chatterbot.corpus.english")


async def converse(ws: WebSocket) -> None:
    """Reply to every message."""
    await ws.accept()
    async for message in ws.iter_text():
        await ws.send_text(str(diego.get_response(message)))


app = Starlette(routes=[WebSocketRoute("/conversation", converse)])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
