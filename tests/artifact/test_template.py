"""Template, registry, functions/ and infra/events/ must tell the same story, and the template must grant no more than it needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.envelope import Envelope
from shared.registry import REGISTRY, JobConfig
from tests.artifact.conftest import translate
from tests.artifact.template import ROOT, TEMPLATE, Function, references

FUNCTIONS = TEMPLATE.functions
FOLDERS = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
EVENTS = {path.stem for path in (ROOT / "infra" / "events").glob("*.json")}
JOBS = {config.type.module: config for config in REGISTRY.values()}
WORKERS = {function.folder: function for function in FUNCTIONS.values() if function.folder in JOBS}
URLS = {name: function for name, function in FUNCTIONS.items() if "FunctionUrlConfig" in function.properties}

each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
each_worker = pytest.mark.parametrize(
    ("function", "config"), [(WORKERS[name], JOBS[name]) for name in WORKERS], ids=WORKERS
)


def test_each_folder_is_a_function_and_each_function_a_folder() -> None:
    assert {function.folder for function in FUNCTIONS.values()} == FOLDERS


@each_function
def test_names_map_mechanically(function: Function) -> None:
    camel = function.folder.title().replace("_", "")
    assert function.resource == f"{camel}Function"
    assert function.properties["Handler"] == f"functions.{function.folder}.handler.handler"
    assert TEMPLATE.resources[function.resource]["Metadata"]["BuildMethod"] == "makefile"


@each_worker
def test_worker_has_time_to_record_the_end_of_its_job(function: Function, config: JobConfig) -> None:
    assert function.properties["Timeout"] == config.timeout + 5


@each_worker
def test_worker_has_an_event_that_is_one_of_its_jobs(function: Function, config: JobConfig) -> None:
    event = json.loads((ROOT / "infra" / "events" / f"{config.type.value}.json").read_text())
    envelope = Envelope.model_validate_json(event["body"])
    assert envelope.type == config.type
    config.payload.model_validate(envelope.payload)
    assert event["version"] == "2.0"


def test_each_event_belongs_to_a_function() -> None:
    assert {event.replace("-", "_") for event in EVENTS} <= FOLDERS


@each_function
def test_function_logs_to_its_own_group_which_outlives_the_stack(function: Function) -> None:
    group = function.resource.removesuffix("Function") + "LogGroup"
    assert function.properties["LoggingConfig"]["LogGroup"] == {"Ref": group}
    assert TEMPLATE.resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert TEMPLATE.resources[group]["DeletionPolicy"].startswith("Retain")


def test_producers_find_each_url_under_its_name() -> None:
    wanted = {
        function.folder.replace("_", "-"): f"${{{name}Url.FunctionUrl}}" for name, function in URLS.items()
    }
    assert {**TEMPLATE.endpoints} == wanted
    assert {function.folder for function in WORKERS.values()} <= {each.folder for each in URLS.values()}


@each_function
def test_function_may_read_the_secrets_in_its_environment_and_no_other(function: Function) -> None:
    """And no variable names another function: their URLs would make a cycle."""
    allowed = {name for name in _granted(function) if name in _secrets()}
    in_environment = {name for name in references(function.variables) if name in _secrets()}
    assert allowed == in_environment
    assert not [name for name in references(function.variables) if name.removesuffix("Url") in FUNCTIONS]


def test_secrets_start_empty_and_outlive_the_stack() -> None:
    assert len(_secrets()) >= 3
    for secret in _secrets().values():
        assert secret["Properties"]["SecretString"] == "{}"
        assert secret["DeletionPolicy"].startswith("Retain")
        assert secret["UpdateReplacePolicy"] == "Retain"


def test_files_without_a_record_end_and_the_archive_stays() -> None:
    """A last attempt may end between its file and the row that says when to delete it."""
    rules = TEMPLATE.resources["FilesBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    ended = {rule.get("Prefix"): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert ended == {"exports/": 90, "reports/": 90}
    assert {"DaysAfterInitiation": 1} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]


def test_no_policy_grants_everything(translated: dict[str, dict[str, Any]]) -> None:
    policies = [
        resource["Properties"][key]
        for resource in translated.values()
        if resource["Type"] in {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}
        for key in ("Policies", "PolicyDocument")
        if key in resource["Properties"]
    ]
    assert policies
    # Files have keys under a prefix; nothing else is granted by pattern.
    granted = (
        json.dumps(policies)
        .replace("${FilesBucket.Arn}/exports/*", "")
        .replace("${FilesBucket.Arn}/reports/*", "")
    )
    assert "*" not in granted.replace("${FilesBucket.Arn}/archive/*", "")


@pytest.mark.parametrize("name", URLS)
def test_anyone_may_call_a_url_and_only_the_url(name: str, translated: dict[str, dict[str, Any]]) -> None:
    """Since October 2025 a public function URL takes two permissions; with one it answers 403."""
    alias = {"Ref": f"{name}Aliaslive"}
    grants = [
        {key: value for key, value in resource["Properties"].items() if key != "FunctionName"}
        for resource in translated.values()
        if resource["Type"] == "AWS::Lambda::Permission" and resource["Properties"]["FunctionName"] == alias
    ]
    assert {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"} in grants
    assert {"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True} in grants
    assert len(grants) == 2
    assert translated[f"{name}Url"]["Properties"]["TargetFunctionArn"] == alias


def test_sweep_calls_the_alias(translated: dict[str, dict[str, Any]]) -> None:
    (rule,) = (each for each in translated.values() if each["Type"] == "AWS::Events::Rule")
    assert rule["Properties"]["ScheduleExpression"] == {"Ref": "ReconcileSchedule"}
    assert TEMPLATE.parameters["ReconcileSchedule"]["Default"] == "rate(1 minute)"
    assert rule["Properties"]["Targets"][0]["Arn"] == {"Ref": "ReconcileFunctionAliaslive"}


def test_new_layer_reaches_the_alias(translated: dict[str, dict[str, Any]]) -> None:
    """SAM publishes a version when the code changes; a function must ask for it when only its layer does."""
    again = translate(layer_key="another-layer")
    for name in FUNCTIONS:
        version = translated[f"{name}Aliaslive"]["Properties"]["FunctionVersion"]
        assert version != again[f"{name}Aliaslive"]["Properties"]["FunctionVersion"]


def _secrets() -> dict[str, dict[str, Any]]:
    return {
        name: resource
        for name, resource in TEMPLATE.resources.items()
        if resource["Type"] == "AWS::SecretsManager::Secret"
    }


def _granted(function: Function) -> set[str]:
    """What its policies name, and what the policies that they name do."""
    direct = set(references(function.policies))
    policies = [TEMPLATE.resources[name] for name in direct if name in TEMPLATE.resources]
    documents = [policy["Properties"].get("PolicyDocument") for policy in policies]
    return direct | set(references(documents))
