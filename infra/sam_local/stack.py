"""What containers are given: the built template with all variables declared, and their values as seen from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.local.cloud import LocalCloud
from infra.template import Function, Template

_LOOPBACK = "127.0.0.1"
_OF_THIS_MACHINE = {"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "ENDPOINT_URL"}  # a container has neither


def local_template(built: Path, variables: Mapping[str, Mapping[str, str]]) -> Path:
    """A copy of a built template that declares every variable: sam drops those that it does not find declared.

    The layer of AWS's secrets extension is left out, for it cannot be had here.
    """
    body = Template(built).body
    common = body["Globals"]["Function"]
    declared = {name: "" for each in variables.values() for name in each}
    common["Environment"]["Variables"] = declared | common["Environment"]["Variables"]
    common["Layers"] = [{"Ref": "SharedLayer"}]
    path = built.with_name("template-local.json")
    path.write_text(json.dumps(body, default=str))
    return path


def variables(cloud: LocalCloud, template: Template, address: str) -> dict[str, dict[str, str]]:
    """Each function's variables by resource, with this machine at `address`; secrets are copies that say so too."""
    copies: dict[str, str] = {}

    def seen_from_there(name: str, value: str) -> str:
        if name.endswith("_SECRET_ARN"):
            if value not in copies:
                copies[value] = cloud.aws.copy_secret(value, lambda text: text.replace(_LOOPBACK, address))
            return copies[value]
        return value.replace(_LOOPBACK, address)

    return {
        function.resource: _variables(cloud, function, seen_from_there)
        for function in template.functions.values()
    }


def _variables(cloud: LocalCloud, function: Function, seen: Callable[[str, str], str]) -> dict[str, str]:
    found: Mapping[str, Any] = cloud.variables_of(function.folder.replace("_", "-"))
    return {name: "" if name in _OF_THIS_MACHINE else seen(name, value) for name, value in found.items()}
