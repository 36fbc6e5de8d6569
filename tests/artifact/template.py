"""Reading template.yaml: every CloudFormation tag becomes its long form, `!Ref X` is `{"Ref": "X"}`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
# What the template's parameters and resources could be, where a handler's environment must hold something sensible.
SAMPLES = {"AppUrl": "https://app.example.com", "MailFrom": "jobs@example.com"}


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's tags."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".")
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


yaml.add_multi_constructor("!", _long_form, Loader=_Loader)


@dataclass(frozen=True)
class Function:
    """One function of the template, with what Globals add to it."""

    resource: str
    properties: dict[str, Any]
    variables: dict[str, Any]

    @property
    def folder(self) -> str:
        """Its folder under functions/, as its handler says."""
        return str(self.properties["Handler"]).split(".")[1]

    @property
    def policies(self) -> list[Any]:
        """What it is allowed to do."""
        return list(self.properties.get("Policies", []))


class Template:
    """template.yaml as data."""

    def __init__(self, path: Path = ROOT / "template.yaml") -> None:
        self.body: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # a SafeLoader
        self.resources: dict[str, dict[str, Any]] = self.body["Resources"]
        self.parameters: dict[str, dict[str, Any]] = self.body["Parameters"]

    @property
    def functions(self) -> dict[str, Function]:
        """The functions by logical id."""
        common = self.body["Globals"]["Function"]
        return {
            name: Function(
                name,
                common | resource["Properties"],
                common["Environment"]["Variables"]
                | resource["Properties"].get("Environment", {}).get("Variables", {}),
            )
            for name, resource in self.resources.items()
            if resource["Type"] == "AWS::Serverless::Function"
        }

    @property
    def endpoints(self) -> dict[str, str]:
        """The JSON that producers read, its references unresolved."""
        value: dict[str, str] = json.loads(self.resources["JobEndpoints"]["Properties"]["Value"]["Fn::Sub"])
        return value

    def environment(self, function: Function) -> dict[str, str]:
        """The function's variables with made-up values for what only a deployment knows."""
        resolved = {name: self._sample(value) for name, value in function.variables.items()}
        return {name: value for name, value in resolved.items() if value is not None}

    def _sample(self, value: Any) -> str | None:
        match value:
            case {"Ref": str(name)}:
                return str(
                    self.parameters.get(name, {}).get("Default") or SAMPLES.get(name, f"sample-{name}")
                )
            case {"Fn::Sub": str(text)}:
                return text.replace("${AWS::StackName}", "posthaste-test")
            case {"Fn::If": [_, _, {"Ref": "AWS::NoValue"}]}:
                return None  # no parameter's default asks for more
            case dict():
                raise NotImplementedError(f"teach Template._sample about {value}")
            case _:
                return str(value)


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


TEMPLATE = Template()
