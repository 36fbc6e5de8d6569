"""The template under test, and the values its references have there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.template import ROOT, Function, Template

__all__ = ["ROOT", "TEMPLATE", "Function", "references", "sample_environment"]

# What the template's parameters and resources could be, where a handler's environment must hold something sensible.
SAMPLES = {
    "AppUrl": "https://app.example.com",
    "MailFrom": "jobs@example.com",
    "DatabaseSecret": "sample-DatabaseSecret",
    "QStashSecret": "sample-QStashSecret",
    "ResendSecret": "sample-ResendSecret",
    "PayloadSecret": "sample-PayloadSecret",
    "SyndicationSecret": "sample-SyndicationSecret",
    "ApiSecret": "sample-ApiSecret",
    "FilesBucket": "sample-files",
}
TEMPLATE = Template()


def sample_environment(function: Function) -> dict[str, str]:
    """A function's variables in a stack that could be."""
    return TEMPLATE.environment(function, SAMPLES, "posthaste-test")


def references(value: Any) -> Iterator[str]:
    """The names of all resources and parameters that a piece of template refers to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (part.split("}")[0].split(".")[0] for part in text.split("${")[1:])
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)
