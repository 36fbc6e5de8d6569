"""docs/reference.md: the public names of `shared`, with their signatures and docstrings."""

from __future__ import annotations

from collections.abc import Iterator

import griffe
from griffe import Class, Function
from pydantic.fields import FieldInfo

import shared.settings
from infra.reference import docstrings, signatures
from infra.reference.contents import SECTIONS, Section
from infra.template import ROOT
from shared.settings import Settings

_OPENING = """# API reference

The public names of the package `shared`, made of the code by `make reference`: change a docstring, not this page. The
HTTP API has [a reference of its own](http-reference.md). Durations are in seconds unless said otherwise, times are aware
`datetime`s, ids of users and organizations whole numbers from 1.
"""
_SETTINGS = """## Settings

Groups of environment variables. A worker names those that it needs: `@job_worker(SendEmail, needs=[EmailSettings])`.
[`.env.example`](../.env.example) says what each variable is for.
"""


def text() -> str:
    """The page as the code is now."""
    code = griffe.load("shared", search_paths=[ROOT])
    sections = [_section(section, code) for section in SECTIONS]
    contents = [*(section.title for section in SECTIONS), "Settings"]
    linked = "\n".join(f"- [{title}](#{title.lower().replace(' ', '-')})" for title in contents)
    return "\n".join([_OPENING, linked, "", *sections, _SETTINGS, "\n".join(_settings())])


def _section(section: Section, code: griffe.Object | griffe.Alias) -> str:
    module = code[section.module.removeprefix("shared.")]
    about = f"{section.about}\n\n" if section.about else ""
    entries = "\n".join(_entry(section, _resolved(module[name])) for name in section.names)
    return f"## {section.title}\n\n`{section.imported_from or section.module}`\n\n{about}{entries}"


def _resolved(found: griffe.Object | griffe.Alias) -> Class | Function:
    target = found.final_target if isinstance(found, griffe.Alias) else found
    assert isinstance(target, Class | Function)  # noqa: S101  # contents.py names no other
    return target


def _entry(section: Section, found: Class | Function) -> str:
    if isinstance(found, Function):
        return _described(f"### `{found.name}`", signatures.of_function(found, found.name), found)
    methods = [_method(found, method) for method in _public_methods(section, found)]
    properties = [_property(found, each) for each in _public_properties(section, found)]
    return "\n".join(
        [_described(f"### `{found.name}`", signatures.of_class(found), found), *methods, *properties]
    )


def _described(heading: str, signature: str, found: griffe.Object) -> str:
    words = docstrings.markdown(found.docstring.value) if found.docstring else ""
    return f"{heading}\n\n```python\n{signature}\n```\n\n{words}\n"


def _public_methods(section: Section, found: Class) -> Iterator[Function]:
    for name, member in found.members.items():
        if isinstance(member, Function) and not name.startswith("_") and name not in section.without:
            yield member


def _method(owner: Class, method: Function) -> str:
    return _described(
        f"#### `{owner.name}.{method.name}`", signatures.of_function(method, method.name), method
    )


def _public_properties(section: Section, found: Class) -> Iterator[griffe.Attribute]:
    for name, member in found.members.items():
        if not isinstance(member, griffe.Attribute) or name.startswith("_") or name in section.without:
            continue
        if "property" in member.labels:
            yield member


def _property(owner: Class, found: griffe.Attribute) -> str:
    return _described(f"#### `{owner.name}.{found.name}`", f"{found.name}: {found.annotation}", found)


def _settings() -> Iterator[str]:
    for group in _groups():
        rows = [
            f"| `{field.alias or name}` | {_default(field)} |" for name, field in group.model_fields.items()
        ]
        rows += [
            f"| `{entry}`, or `{arn}` | required |"
            for arn, entries in group.secrets.items()
            for entry in entries
        ]
        about = (group.__doc__ or "").strip().partition("\n")[0]
        yield "\n".join(
            [f"### `{group.__name__}`\n\n{about}\n\n| variable | default |\n|---|---|", *rows, ""]
        )


def _groups() -> list[type[Settings]]:
    found = [each for each in vars(shared.settings).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, Settings) and each is not Settings]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "–" if field.default is None else f"`{field.default}`"
