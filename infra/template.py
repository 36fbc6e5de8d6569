"""Reads template.yaml: every CloudFormation tag becomes its long form, `!Ref X` is `{"Ref": "X"}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).parents[1]


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's tags."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".")
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


yaml.add_multi_constructor("!", _long_form, Loader=_Loader)


def parsed(text: str) -> Any:
    """A template's text as data. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader


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
        self.body: dict[str, Any] = parsed(path.read_text("utf-8"))
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

    def environment(self, function: Function, values: Mapping[str, str], stack: str) -> dict[str, str]:
        """The function's variables in a stack of this name.

        `values` are the parameters' and what resources' references give; a parameter not named has its default.
        """
        resolved = {name: self._resolve(value, values, stack) for name, value in function.variables.items()}
        return {name: value for name, value in resolved.items() if value is not None}

    def _resolve(self, value: Any, values: Mapping[str, str], stack: str) -> str | None:
        match value:
            case {"Ref": "AWS::NoValue"}:
                return None
            case {"Ref": "AWS::StackName"}:
                return stack
            case {"Ref": str(name)}:
                default = self.parameters[name].get("Default", "") if name in self.parameters else None
                found = values.get(name, default)
                if found is None:
                    raise KeyError(f"{name} is a reference whose value only a deployment knows")
                return str(found)
            case {"Fn::Sub": str(text)}:
                return text.replace("${AWS::StackName}", stack)
            case {"Fn::If": [str(condition), yes, no]}:
                return self._resolve(yes if self._holds(condition, values) else no, values, stack)
            case dict():
                raise NotImplementedError(f"teach Template about {value}")
            case _:
                return str(value)

    def _holds(self, condition: str, values: Mapping[str, str]) -> bool:
        match self.body["Conditions"][condition]:
            case {"Fn::Not": [{"Fn::Equals": [asked, str(other)]}]}:
                return self._resolve(asked, values, "") != other
            case other:
                raise NotImplementedError(f"teach Template about the condition {other}")
