"""The resolver: what every answer of it has in common, whichever route it is of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from pydantic import BaseModel

from functions.jobs_api.errors import Refused, refusal
from functions.jobs_api.rendering import refused_page
from shared.observability import logger

JSON = "application/json"
app = LambdaFunctionUrlResolver(enable_validation=True)

_MOST_PARAMETERS = 50


def is_api(path: str) -> bool:
    """Whether a path is the API's, and answered as JSON."""
    return path.startswith("/v1/") or path in {"/v1", "/health", "/openapi.json"}


def as_json(refused: Refused) -> Response[Any]:
    """A refusal as the API answers it."""
    return Response(refused.status, JSON, json.dumps(refused.body), headers=refused.headers)


def render(path: str, refused: Refused) -> Response[Any]:
    """A refusal, as whoever asked for this path can read it."""
    return as_json(refused) if is_api(path) else refused_page(refused)


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def answer_error(error: Exception) -> Response[Any]:
    """What went wrong, in the caller's words where it is the caller's."""
    path = app.current_event.path
    found = refusal(error)
    if found is None:
        logger.exception("not answered", extra={"path": path})
        found = Refused(500, "something went wrong here; the function's log says what")
    return render(path, found)


@app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def answer_invalid(error: RequestValidationError) -> Response[Any]:
    """Each field at fault, without what was sent: it may be secret."""
    problems = [(_field(each["loc"]), str(each["msg"])) for each in error.errors()]
    return render(app.current_event.path, Refused(400, "the request is not valid", problems))


@app.exception_handler(RequestUnsupportedContentType)  # type: ignore[untyped-decorator]
def answer_unsupported(_error: RequestUnsupportedContentType) -> Response[Any]:
    """Another type than the route takes."""
    return render(app.current_event.path, Refused(415, "this takes Content-Type: application/json"))


@app.not_found
def answer_not_found(_error: NotFoundError) -> Response[Any]:
    """No such path, or not by this method."""
    path = app.current_event.path
    allowed = sorted({route.method for route in _routes() if route.rule.match(path)})
    if allowed:
        return render(path, Refused(405, f"this takes {' or '.join(allowed)}", allow=", ".join(allowed)))
    return render(path, Refused(404, "there is nothing at this path"))


def refuse_unknown_parameters(
    resolver: LambdaFunctionUrlResolver, next_middleware: Callable[..., Response[Any]]
) -> Response[Any]:
    """A filter that is misspelled must not be taken for none: a bulk action would take more than was meant."""
    if not is_api(resolver.current_event.path):
        return next_middleware(resolver)
    route: Route = resolver.context["_route"]
    known = set(_parameters(route))
    try:
        given = parse_qsl(
            resolver.current_event.raw_query_string or "",
            keep_blank_values=True,
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise Refused(400, f"a request has at most {_MOST_PARAMETERS} parameters") from None
    times = Counter(name for name, _value in given)
    problems = [
        (
            name[:100],
            "is given twice"
            if name in known
            else f"is unknown: there are {', '.join(sorted(known)) or 'none'}",
        )
        for name, number in times.items()
        if name not in known or number > 1
    ]
    if problems:
        raise Refused(400, "the request is not valid", problems)
    return next_middleware(resolver)


app.use(middlewares=[refuse_unknown_parameters])


def _parameters(route: Route) -> list[str]:
    """The query's parameters of a route, those of models flattened."""
    if route.func.__name__ == "not_found_handler":
        return [
            name
            for name, _value in parse_qsl(app.current_event.raw_query_string or "", keep_blank_values=True)
        ]
    names: list[str] = []
    for parameter in route.dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names += [field.alias or name for name, field in model.model_fields.items()]
        else:
            names.append(parameter.alias)
    return names


def _routes() -> list[Route]:
    return [*app._static_routes, *app._dynamic_routes]  # noqa: SLF001  # it has no list of them for others


def _field(path: tuple[Any, ...]) -> str:
    """The field's name as the caller knows it: without where it was, and without our name of a query's model."""
    where, *rest = path
    if where == "query" and rest[:1] == ["query"]:
        rest = rest[1:]
    return ".".join(map(str, rest)) or str(where)
