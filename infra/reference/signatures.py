"""Signatures as Python would read them, one parameter a line where one line is too short."""

from __future__ import annotations

from collections.abc import Iterator

from griffe import Attribute, Class, Function, ParameterKind

_LONGEST = 100
_STARS = {ParameterKind.var_positional: "*", ParameterKind.var_keyword: "**"}


def of_function(function: Function, name: str) -> str:
    """`def name(…) -> …: ...`, without `self`."""
    parameters = list(_parameters(function))
    end = f") -> {function.returns}: ..."
    short = f"def {name}({', '.join(parameters)}{end}"
    if len(short) <= _LONGEST:
        return short
    return "\n".join([f"def {name}(", *(f"    {each}," for each in parameters), end])


def of_class(found: Class) -> str:
    """The class with the fields that it declares."""
    bases = ", ".join(map(str, found.bases))
    # Members of an enumeration are a project's own: with a new job type this page need not be made anew.
    fields = [] if "StrEnum" in bases else [f"    {field}" for field in _fields(found)]
    head = f"class {found.name}({bases}):" if bases else f"class {found.name}:"
    return "\n".join([head, *fields]) if fields else f"{head} ..."


def _parameters(function: Function) -> Iterator[str]:
    keyword_only = False
    for parameter in function.parameters:
        if parameter.name in {"self", "cls"}:
            continue
        if parameter.kind is ParameterKind.keyword_only and not keyword_only:
            keyword_only = True
            yield "*"
        stars = _STARS.get(parameter.kind or ParameterKind.positional_or_keyword, "")
        annotation = "" if parameter.annotation is None else f": {_quoted(str(parameter.annotation))}"
        default = "" if parameter.default is None or stars else f" = {_quoted(str(parameter.default))}"
        yield f"{stars}{parameter.name}{annotation}{default}"


def _fields(found: Class) -> Iterator[str]:
    for name, member in found.members.items():
        if not isinstance(member, Attribute) or name.startswith("_") or name == "model_config":
            continue
        annotation = "" if member.annotation is None else f": {_quoted(str(member.annotation))}"
        if "property" in member.labels or (not annotation and "class-attribute" not in member.labels):
            continue
        value = "" if member.value is None else f" = {_quoted(str(member.value))}"
        yield f"{name}{annotation}{value}"


def _quoted(expression: str) -> str:
    """With the quotation marks that the code has."""
    return expression if '"' in expression else expression.replace("'", '"')
