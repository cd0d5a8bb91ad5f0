"""A visitor's conversation over HTTP: what was said, and what is otherwise done by commands."""

import asyncio
import json
import re
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from chatbot.bot.lessons import TooManyLessons
from chatbot.messages import NotNow, RefusedMessage
from chatbot.web.cookies import Cookies
from chatbot.web.errors import retry_after
from chatbot.web.rates import Rates
from chatbot.web.visitors import Visitor
from chatbot.web.wire import Command, Event, history_request

MAX_BODY_BYTES = 24 * 1024
"""Room for two texts of MAX_CHARACTERS each, even if JSON writes every character with 12 bytes, as \\ud83d\\ude00."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

NO_LESSON = 'The body must be a JSON object in UTF-8 with two texts, such as {"prompt": "Ping", "reply": "Pong!"}.'
NO_JSON = "The body must come as JSON, with the header Content-Type: application/json."
TOO_LARGE = f"The body is too large: up to {MAX_BODY_BYTES // 1024} KiB are read."
TOO_SLOW = f"The body must arrive within {BODY_SECONDS:.0f} s."
INCOMPLETE = "The connection was lost before the body was complete."

_NUMBER = re.compile("[0-9]{1,99}")


async def count(rates: Rates, visitor: str, address: str) -> None:
    """Count a request. Raises HTTPException if it is one too many."""
    try:
        await rates.take(visitor, address)
    except NotNow as not_now:
        raise HTTPException(429, str(not_now), retry_after(not_now)) from None


async def history(request: Request, visitor: Visitor, visitor_headers: dict[str, str]) -> JSONResponse:
    """A page of the visitor's turns, the last ones if `before` names no other; `limit` says how many at most."""
    parameters = {name: _number(text) for name, text in request.query_params.items()}
    try:
        asked = history_request(parameters)
    except RefusedMessage as refused:
        raise HTTPException(400, str(refused)) from None
    page = await visitor.history(asked)
    return JSONResponse(page.fields, headers=visitor_headers)


async def lessons(visitor: Visitor, visitor_headers: dict[str, str]) -> JSONResponse:
    """What the visitor taught."""
    event = await visitor.do(Command("lessons"))
    return JSONResponse({"lessons": event.fields["lessons"]}, headers=visitor_headers)


async def teach(request: Request, visitor: Visitor, visitor_headers: dict[str, str]) -> JSONResponse:
    """A new lesson, or one in the place of that with the same prompt."""
    command = await _taught(request)
    try:
        event = await visitor.do(command)
    except TooManyLessons as refused:
        raise HTTPException(409, str(refused)) from None
    except RefusedMessage as refused:
        raise HTTPException(400, str(refused)) from None
    return JSONResponse(_lesson(event), 201, visitor_headers)


async def unteach(request: Request, visitor: Visitor, visitor_headers: dict[str, str]) -> JSONResponse:
    """The lesson that is taken back."""
    number = _number(request.path_params["number"])
    if isinstance(number, str):
        raise HTTPException(404)
    try:
        event = await visitor.do(Command("unteach", number=number))
    except RefusedMessage as refused:
        raise HTTPException(404, str(refused)) from None
    return JSONResponse(_lesson(event), headers=visitor_headers)


async def why(visitor: Visitor, visitor_headers: dict[str, str]) -> JSONResponse:
    """Why Diego gave his last answer, and the turn."""
    event = await visitor.do(Command("why"))
    return JSONResponse({"why": event.text, "turn": event.fields["turn"]}, headers=visitor_headers)


async def export(visitor: Visitor, visitor_headers: dict[str, str]) -> Response:
    """All that Diego knows of the visitor, as a file to keep."""
    event = await visitor.do(Command("export"))
    headers = {**visitor_headers, "Content-Disposition": 'attachment; filename="diego.json"'}
    return Response(event.text, headers=headers, media_type="application/json")


async def forget(request: Request, visitor: Visitor, cookies: Cookies) -> JSONResponse:
    """That all is erased. The cookie is taken away."""
    event = await visitor.do(Command("forget"))
    headers = {"Set-Cookie": cookies.removal(request), "Cache-Control": "no-store"}
    return JSONResponse({"text": event.text}, headers=headers)


async def _taught(request: Request) -> Command:
    """The lesson in a body. Raises HTTPException."""
    prompt, reply = await read_texts(request, ("prompt", "reply"), NO_LESSON)
    return Command("teach", prompt, reply)


async def read_texts(request: Request, names: Sequence[str], expected: str) -> list[str]:
    """The texts of these names in a JSON object; `expected` is what is said of any other body. Raises HTTPException."""
    # A page of another site can have a browser send a form, but not this type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, NO_JSON)
    try:
        fields = json.loads((await read_body(request)).decode())
    except (ValueError, RecursionError):
        raise HTTPException(400, expected) from None
    if not isinstance(fields, dict):
        raise HTTPException(400, expected)
    texts = [text for name in names if isinstance(text := fields.get(name), str)]
    if len(texts) < len(names):
        raise HTTPException(400, expected)
    return texts


async def read_body(request: Request) -> bytes:
    """The body, read no further than it may be long. Raises HTTPException."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, TOO_LARGE)
    except TimeoutError:
        raise HTTPException(408, TOO_SLOW, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400, INCOMPLETE) from None
    return body


def _number(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text


def _lesson(event: Event) -> dict[str, object]:
    return {name: event.fields[name] for name in ("number", "prompt", "reply")}
