"""docs/http-reference.md: the routes of the HTTP API and the shapes that they take and give, from its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from functions.jobs_api.api.openapi import DOCUMENT

Tree = dict[str, Any]

_OPENING = """# HTTP API reference

Every route, made of [`openapi.json`](../functions/jobs_api/openapi.json) by `make reference`. How to get a key, what pages
and filters mean and how much may be asked is in [the guide](api.md). Times are ISO 8601 with their offset, spans are
seconds. A request is JSON, and so is each answer.

## Routes

| | |
|---|---|
"""
_ERRORS = """## Errors

Each route may answer these, with an [`Error`](#error); those that are not GET also 409, 413 and 415.

| status | when |
|---|---|
"""


def text() -> str:
    """The page as the document is kept."""
    document: Tree = json.loads(DOCUMENT.read_text("utf-8"))
    operations = list(_operations(document))
    routes = "".join(
        f"| [`{_route(method, path)}`](#{_anchor(method, path)}) | {operation['summary']} |\n"
        for method, path, operation in operations
    )
    errors = "".join(f"| {status} | {about} |\n" for status, about in _errors(operations))
    described = "\n".join(_operation(*each, document) for each in operations)
    schemas = "\n".join(_schema(name, document) for name in _schemas(document))
    return f"{_OPENING}{routes}\n{_ERRORS}{errors}\n{described}\n## Shapes\n\n{schemas}"


def _operations(document: Tree) -> Iterator[tuple[str, str, Tree]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _route(method: str, path: str) -> str:
    return f"{method} {path}"


def _anchor(method: str, path: str) -> str:
    kept = "".join(each for each in _route(method, path).lower() if each.isalnum() or each in " -_")
    return kept.replace(" ", "-")


def _errors(operations: list[tuple[str, str, Tree]]) -> list[tuple[str, str]]:
    found = {
        status: response["description"]
        for _method, path, operation in operations
        for status, response in operation["responses"].items()
        if status >= "400" and path != "/health"
    }
    return sorted(found.items())


def _operation(method: str, path: str, operation: Tree, document: Tree) -> str:
    lines = [f"## `{_route(method, path)}`", "", f"{operation['summary']}."]
    if about := operation.get("description"):
        lines += ["", f"{about}."]
    if parameters := operation.get("parameters"):
        lines += ["", "| parameter | in | type | |", "|---|---|---|---|"]
        lines += [_parameter(each, document) for each in parameters]
    if body := operation.get("requestBody"):
        lines += ["", f"Takes {_type(_json_schema(body))}."]
    lines += ["", "| answer | |", "|---|---|"]
    lines += [
        f"| {status} | {_type(_json_schema(response))}{_words(response)} |"
        for status, response in operation["responses"].items()
        if status < "400" or (path == "/health" and status == "503")
    ]
    return "\n".join(lines) + "\n"


def _words(response: Tree) -> str:
    about = response.get("description", "")
    return "" if about in {"", "Successful Response"} else f": {about[0].lower()}{about[1:]}"


def _json_schema(holder: Tree) -> Tree:
    schema: Tree = holder["content"]["application/json"]["schema"]
    return schema


def _parameter(parameter: Tree, document: Tree) -> str:
    name, declared = parameter["name"], parameter["schema"]
    if declared.keys() == {"type"}:  # a filter, which as a field says more
        declared = document["components"]["schemas"]["ListQuery"]["properties"].get(name, declared)
    required = "required" if parameter.get("required") and parameter["in"] != "path" else ""
    said = _joined(required, parameter.get("description", ""), _limits(declared))
    return f"| `{name}` | {parameter['in']} | {_type(declared).removesuffix(' or null')} | {said} |"


def _schemas(document: Tree) -> list[str]:
    unnamed = {"ListQuery", "JsonValue"}  # the parameters above; any JSON
    return [name for name in document["components"]["schemas"] if name not in unnamed]


def _schema(name: str, document: Tree) -> str:
    schema: Tree = document["components"]["schemas"][name]
    lines = [f"### `{name}`", "", schema.get("description", "")]
    if schema.get("enum"):
        lines += ["", "Which there are is answered by [`GET /v1/types`](#get-v1types)."]
    if fields := schema.get("properties"):
        lines += ["", "| field | type | |", "|---|---|---|"]
        lines += [_field(field, each, schema) for field, each in fields.items()]
    return "\n".join(lines) + "\n"


def _field(name: str, field: Tree, schema: Tree) -> str:
    asked = schema.get("additionalProperties") is False  # what is answered has all its fields
    required = "required" if asked and name in schema.get("required", ()) else ""
    said = _joined(required, field.get("description", ""), _limits(field))
    return f"| `{name}` | {_type(field)} | {said} |"


def _joined(*parts: str) -> str:
    return "; ".join(part.strip().removesuffix(".") for part in parts if part.strip())


def _type(schema: Tree) -> str:
    """A schema in a few words; those with a name are linked."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return "any JSON" if name == "JsonValue" else f"[`{name}`](#{name.lower()})"
        case {"anyOf": list(choices)}:
            return " or ".join(dict.fromkeys(_type(each) for each in choices))
        case {"enum": list(values)}:
            return ", ".join(f"`{value}`" for value in values)
    return _plain_type(schema)


def _plain_type(schema: Tree) -> str:
    match schema:
        case {"type": "array", "items": dict(items)}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)} if values:
            return f"object of {_type(values)}"
        case {"type": str(kind)}:
            return _WORDS.get(schema.get("format", kind), kind)
    return "any JSON"


_WORDS = {
    "uuid": "UUID",
    "date-time": "time",
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
}


def _limits(schema: Tree) -> str:
    """What a value may be, and what it is where it is left out."""
    said = [
        _range(schema, "minimum", "maximum"),
        _range(schema, "minLength", "maxLength", " characters"),
        f"{schema['default']} without it" if schema.get("default") is not None else "",
    ]
    return "; ".join(each for each in said if each)


def _range(schema: Tree, low: str, high: str, of_what: str = "") -> str:
    found = [schema, *schema.get("anyOf", ())]
    least, most = (next((each[limit] for each in found if limit in each), None) for limit in (low, high))
    if most is None:
        return "" if least is None else f"at least {least:.0f}{of_what}"
    return f"at most {most:.0f}{of_what}" if least is None else f"{least:.0f} to {most:.0f}{of_what}"
