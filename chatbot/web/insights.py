"""What operators see and do at /insights: how busy Diego is, what he could not answer, and what visitors taught."""

import logging
import math
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chatbot.bot.approval import answer, approve, reject
from chatbot.bot.database import StorageError
from chatbot.bot.diary import Diary
from chatbot.bot.lessons import Undecided, UnknownLessonError
from chatbot.bot.questions import Question
from chatbot.bot.storage import KnowledgeStorage
from chatbot.messages import MAX_CHARACTERS, RefusedMessage, read_prompt
from chatbot.web import pages
from chatbot.web.history import History
from chatbot.web.operators import Operators
from chatbot.web.rest import read_texts
from chatbot.web.threads import Threads

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_LESSONS = 100
"""How many lessons are shown at once; when they are decided on, others follow."""

MOST_TAUGHT = 10_000
"""How many approved lessons and answers are looked at to tell what is answered."""

NOT_SIGNING_IN = 'The body must be a JSON object in UTF-8 with the token, such as {"token": "…"}.'
NO_ANSWER = (
    'The body must be a JSON object in UTF-8 with two texts, such as {"prompt": "What is a walrus?", "reply": "A large '
    'animal."}.'
)
NO_PROMPT = 'The body must be a JSON object in UTF-8 with a text, such as {"prompt": "What is a walrus?"}.'
NO_DECISION = 'The body must be a JSON object in UTF-8: {"decision": "approve"} or {"decision": "reject"}.'
UNREADABLE = f"The question and the answer need 1 to {MAX_CHARACTERS:,} characters each."
NO_TIME = '"since" must be a time in seconds since 1970.'
DATABASE_FAILED = "The database cannot be used at the moment; the log says why. Please try again."
NO_STORE = {"Cache-Control": "no-store"}


async def page(request: Request, operators: Operators) -> Response:
    """The page for operators; for others, the one where they sign in."""
    return pages.render(request, "insights.html" if operators.signed_in(request) else "sign-in.html", NO_STORE)


async def sign_in(request: Request, operators: Operators) -> Response:
    """The cookie, for the token."""
    (token,) = await read_texts(request, ("token",), NOT_SIGNING_IN)
    operators.check_token(request, token)
    return Response(status_code=204, headers={**NO_STORE, "Set-Cookie": operators.header(request)})


async def sign_out(request: Request, operators: Operators) -> Response:
    """Takes the cookie away."""
    return Response(status_code=204, headers={**NO_STORE, "Set-Cookie": operators.removal(request)})


async def numbers(request: Request, history: History, operator_headers: dict[str, str]) -> JSONResponse:
    """The points of the last ten minutes, or those after the time `since`."""
    try:
        since = float(request.query_params.get("since", "0"))
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise HTTPException(400, NO_TIME)
    return JSONResponse({"points": [point._asdict() for point in await history.since(since)]}, headers=operator_headers)


async def unanswered(
    diary: Diary, knowledge: KnowledgeStorage, threads: Threads, operator_headers: dict[str, str]
) -> JSONResponse:
    """What Diego could not answer, what most visitors asked first."""
    return await _questions(diary.questions.unanswered, knowledge, threads, operator_headers)


async def doubtful(
    diary: Diary, knowledge: KnowledgeStorage, threads: Threads, operator_headers: dict[str, str]
) -> JSONResponse:
    """What Diego replied although he was not sure, the least sure first."""
    return await _questions(diary.questions.doubtful, knowledge, threads, operator_headers)


async def give_answer(
    request: Request, knowledge: KnowledgeStorage, threads: Threads, operator_headers: dict[str, str]
) -> JSONResponse:
    """An answer that is knowledge for everybody from now on: the name of its source."""
    prompt, reply = map(_readable, await read_texts(request, ("prompt", "reply"), NO_ANSWER))
    source = await _run(threads, answer, knowledge, prompt, reply)
    return JSONResponse({"source": source, "prompt": prompt, "reply": reply}, 201, operator_headers)


async def dismiss(request: Request, diary: Diary, threads: Threads, operator_headers: dict[str, str]) -> Response:
    """Shows no question of the same words any more."""
    (prompt,) = await read_texts(request, ("prompt",), NO_PROMPT)
    await _run(threads, diary.questions.dismiss, _readable(prompt))
    return Response(status_code=204, headers=operator_headers)


async def lessons(diary: Diary, threads: Threads, operator_headers: dict[str, str]) -> JSONResponse:
    """What visitors taught and nobody has decided on, and how many lessons those are."""
    undecided = await _run(threads, diary.lessons.undecided)
    shown = [lesson._asdict() for lesson in undecided[:MOST_LESSONS]]
    return JSONResponse({"lessons": shown, "count": len(undecided)}, headers=operator_headers)


async def decide(
    request: Request, diary: Diary, knowledge: KnowledgeStorage, threads: Threads, operator_headers: dict[str, str]
) -> JSONResponse:
    """The lesson, which is approved or rejected."""
    (decision,) = await read_texts(request, ("decision",), NO_DECISION)
    if decision not in ("approve", "reject"):
        raise HTTPException(400, NO_DECISION)
    number = request.path_params["number"]
    try:
        lesson: Undecided
        if decision == "approve":
            lesson = await _run(threads, approve, knowledge, diary.lessons, number)
        else:
            lesson = await _run(threads, reject, diary.lessons, number)
    except UnknownLessonError as unknown:
        raise HTTPException(404, str(unknown)) from None
    return JSONResponse(lesson._asdict(), headers=operator_headers)


async def _questions(
    find: Callable[[list[str]], list[Question]],
    knowledge: KnowledgeStorage,
    threads: Threads,
    headers: dict[str, str],
) -> JSONResponse:
    def questions() -> list[dict[str, Any]]:
        return [_shown(question) for question in find([pair.prompt for pair in knowledge.taught(MOST_TAUGHT)])]

    return JSONResponse({"questions": await _run(threads, questions)}, headers=headers)


def _shown(question: Question) -> dict[str, Any]:
    """A question without a word on who asked it."""
    turn = question.turn
    return {
        "id": question.id,
        "prompt": turn.prompt,
        "reply": turn.reply,
        "confidence": turn.confidence,
        "why": turn.why,
        "visitors": question.visitors,
        "times": question.times,
        "asked_at": question.asked_at,
    }


def _readable(text: str) -> str:
    try:
        return read_prompt(text)
    except RefusedMessage:
        raise HTTPException(400, UNREADABLE) from None


async def _run(threads: Threads, function: Callable[..., T], *args: object) -> T:
    """What a function returns that asks the databases. Raises HTTPException if they fail."""
    try:
        return await threads.run(function, *args)
    except (SQLAlchemyError, StorageError):
        logger.exception("What an operator asked for failed.")
        raise HTTPException(503, DATABASE_FAILED) from None
