"""The OpenAPI document, as it is kept beside this function; `make openapi` writes it anew from the routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

DOCUMENT = Path(__file__).parents[1] / "openapi.json"

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]


@router.get("/openapi.json", include_in_schema=False)
def get_openapi() -> Response[Any]:
    """The document."""
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(200, "application/json", DOCUMENT.read_text("utf-8"), headers=headers)
