"""Style and scripts: a few files, kept by browsers for as long as their content is the same."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.errors import Refused
from functions.jobs_api.files import FOLDER, version

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_KEPT = "public, max-age=31536000, immutable"


@router.get("/assets/<given>/<name>", include_in_schema=False)
def get_asset(given: str, name: str) -> Response[Any]:
    """One file; under another version's address it is not kept."""
    path = FOLDER / name
    if path.suffix not in _TYPES or path.parent != FOLDER or not path.is_file():
        raise Refused(404, "there is no such file")
    headers = {"Cache-Control": _KEPT if given == version() else "no-store"}
    return Response(200, _TYPES[path.suffix], path.read_text("utf-8"), headers=headers)
