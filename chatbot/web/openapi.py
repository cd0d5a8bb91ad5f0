"""The description of what is there over HTTP, for programs that read OpenAPI."""

from pathlib import Path
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse

DOCUMENT: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


async def openapi(_request: Request) -> JSONResponse:
    """The document."""
    return JSONResponse(DOCUMENT)
