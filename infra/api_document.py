"""`python -m infra.api_document`: write the OpenAPI document of the HTTP API anew, from its routes.

A test holds the document to the routes, so that neither changes without the other.
"""

from __future__ import annotations

import json
import re
from typing import Any

from functions.jobs_api.api.openapi import DOCUMENT
from functions.jobs_api.routes import app
from functions.jobs_api.shapes import Error

_TITLE, _VERSION = "Posthaste", "1"
_DESCRIPTION = """People and programs see and act on their jobs.

Send an API key as `Authorization: Bearer ph_…`. One with `read` may call what is GET, one with `write` everything. A key
bound to an organization sees and acts on that organization's jobs only: others are not there for it.
"""
_ERRORS = {
    "400": "Something in the request is wrong; `problems` names each field",
    "401": "No API key, or none of ours",
    "403": "The key does not allow it",
    "404": "There is none, or none that the key sees",
    "405": "Not by this method",
    "409": "The job is not in a state for it, or the idempotency key is another job's",
    "413": "The request is too large",
    "415": "Not JSON",
    "429": "Too often; `Retry-After` says when",
    "503": "Postgres, QStash or a secret is out of reach; `Retry-After` says when",
}
_OF_READING = ("400", "401", "404", "405", "429", "503")
_OF_READING_MANY = (*_OF_READING, "403")


def text() -> str:
    """The document as it is kept."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def document() -> dict[str, Any]:
    """The document as the routes are now."""
    made: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(title=_TITLE, version=_VERSION, description=_DESCRIPTION)
    )
    made.pop("servers", None)
    routes = (*app._static_routes, *app._dynamic_routes)  # noqa: SLF001  # it has no list of them for others
    # Pages have functions of the same names, and are no part of the document.
    summaries = {
        route.func.__name__: (route.func.__doc__ or "").strip().removesuffix(".")
        for route in routes
        if route.openapi_path in made["paths"]
    }
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(name, None)
    problem = Error.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Error": problem}
    made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
            operation["summary"], _, about = summaries[operation["operationId"]].partition(": ")
            operation.pop("description", None)
            if about:
                operation["description"] = f"{about[0].upper()}{about[1:]}"
    return made


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """What Powertools does not know: which errors there are, and who may call."""
    responses = operation["responses"]
    responses.pop("422", None)
    if "202" in responses:
        responses.pop("200", None)
    statuses = tuple(_ERRORS) if method == "post" else _OF_READING_MANY
    for status in statuses:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        responses.setdefault(status, {"description": _ERRORS[status], "content": content})
    operation["responses"] = dict(sorted(responses.items()))
    operation["security"] = [{"key": []}] if path != "/health" else [{}, {"key": []}]
    operation["operationId"] = re.split("_v1_|_health_get$", operation["operationId"])[0] or "get_health"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), "utf-8")
