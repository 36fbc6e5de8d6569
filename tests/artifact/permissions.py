"""What each function is granted, from the template as AWS expands it, and what its code asks for, from the code."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from shared.secrets import _SECRET_OF
from tests.artifact.template import ROOT, Function, sample_environment

Grant = tuple[str, str]  # an action, and the resource it is for

# What IAM asks for, by the operation of S3's API (its "Required permissions").
ACTIONS = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetObject": "s3:GetObject",
    "DeleteObjects": "s3:DeleteObject",
}
ON_THE_BUCKET = {"s3:ListBucketMultipartUploads"}
ENDPOINTS = "parameter ${AWS::StackName}/job-endpoints"
# Modules that hand jobs to QStash, and so ask where the functions are.
_PUBLISHERS = {"shared.worker", "shared.dispatcher", "shared.relay", "shared.settling", "infra.schedules"}
# cleanup-old-data deletes the files that its tables' rows name: what export-data and generate-report have stored.
_DELETED = {"cleanup_old_data": ("exports/", "reports/")}
_PREFIX = re.compile(r"^([a-z]+/)")
# Which groups of settings a handler checks when it is loaded, and so which secrets it names.
_CHECKED = """
import json, shared.settings
found = set()
def check(*groups):
    found.update(arn for group in groups for arn in group.secrets)
shared.settings.check = check
import functions.{folder}.handler
print(json.dumps(sorted(found)))
"""


# --- what is granted -------------------------------------------------------------------------------------------


def granted(role: Mapping[str, Any], resources: Mapping[str, Any]) -> set[Grant]:
    """All that the policies of a role allow which are in the template."""
    documents = [each["PolicyDocument"] for each in role.get("Policies", [])]
    documents += [
        resources[each["Ref"]]["Properties"]["PolicyDocument"]
        for each in role["ManagedPolicyArns"]
        if isinstance(each, dict)
    ]
    return {grant for document in documents for grant in grants(document["Statement"])}


def grants(statements: list[Any]) -> Iterator[Grant]:
    """Each action of the statements with each of its resources; those under `If` too."""
    for each in statements:
        statement = each["Fn::If"][1] if "Fn::If" in each else each
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & statement.keys()
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                yield action, _named(resource)


def _named(resource: Any) -> str:
    match resource:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
        case {"Fn::Sub": [str(), dict(values)]}:
            (value,) = values.values()
            return _named(value)
        case {"Fn::Sub": str(text)}:
            text = re.sub(r"^\$\{(\w+)\.Arn\}", r"\1", text)
            return re.sub(r"^arn:.*:(parameter|log-group)[/:]", r"\1 ", text)
        case _:
            return str(resource)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# --- what is asked for -----------------------------------------------------------------------------------------


def asked_for(function: Function, storage: Mapping[str, set[str]]) -> set[Grant]:
    """What the function's code needs; `storage` is what each function of shared.storage asks of S3."""
    trees = list(_trees(ROOT / "functions" / function.folder))
    arns = {*_checked(function), *_secrets_named(trees)}
    found: set[Grant] = {("secretsmanager:GetSecretValue", function.variables[arn]["Ref"]) for arn in arns}
    if _imported(trees) & _PUBLISHERS:
        found.add(("ssm:GetParameter", ENDPOINTS))
    for name in _storage_used(trees):
        deleted = _DELETED.get(function.folder, ()) if name == "delete" else ()
        for prefix in deleted or _prefixes(trees):
            found |= {(action, _place(action, prefix)) for action in storage[name]}
    return found


def _place(action: str, prefix: str) -> str:
    return "FilesBucket" if action in ON_THE_BUCKET else f"FilesBucket/{prefix}*"


def _trees(folder: Path) -> Iterator[ast.Module]:
    return (ast.parse(path.read_text("utf-8")) for path in folder.rglob("*.py"))


@cache
def _checked_in(folder: str, environment: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    command = [sys.executable, "-B", "-c", _CHECKED.replace("{folder}", folder)]
    variables = dict(environment) | {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return tuple(json.loads(result.stdout.splitlines()[-1]))


def _checked(function: Function) -> tuple[str, ...]:
    return _checked_in(function.folder, tuple(sorted(sample_environment(function).items())))


def _secrets_named(trees: list[ast.Module]) -> set[str]:
    """The secrets whose entries the code names, whole or as PLATFORM_ENTRY put together."""
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {arn for entry, arn in _SECRET_OF.items() if entry in texts} | (
        {"SYNDICATION_SECRET_ARN"} if {"ENDPOINT", "API_KEY"} <= texts else set()
    )


def _imported(trees: list[ast.Module]) -> set[str]:
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
            found.add(".".join(node.module.split(".")[:2]))
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found


def _storage_used(trees: list[ast.Module]) -> set[str]:
    """The functions of shared.storage that are called, but those that only tell a name."""
    calls = (node.func for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        call.attr
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "storage"
    } - {"bucket"}


def _prefixes(trees: list[ast.Module]) -> set[str]:
    """The folders of the keys that the code makes: an f-string that begins with one."""
    strings = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    first = (node.values[0] for node in strings if node.values)
    texts = (node.value for node in first if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {match[1] for match in map(_PREFIX.match, texts) if match}
