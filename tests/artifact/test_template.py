"""Template, registry, functions/ and infra/events/ must tell the same story, and the template must grant no more than it needs."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from infra.template import Template
from shared.envelope import Envelope
from shared.registry import REGISTRY, JobConfig
from tests.artifact.conftest import translate
from tests.artifact.observability import NESTED, nested
from tests.artifact.template import ROOT, TEMPLATE, Function, references

FUNCTIONS = TEMPLATE.functions
FOLDERS = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
EVENTS = {path.stem for path in (ROOT / "infra" / "events").glob("*.json")}
JOBS = {config.type.module: config for config in REGISTRY.values()}
WORKERS = {function.folder: function for function in FUNCTIONS.values() if function.folder in JOBS}
URLS = {name: function for name, function in FUNCTIONS.items() if "FunctionUrlConfig" in function.properties}
FOR_OTHERS = {
    "ReceiveWebhookFunction",
    "JobsApiFunction",
}  # called by other systems and by people, never by QStash

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


def test_each_function_has_its_event_and_each_event_its_function() -> None:
    assert {event.replace("-", "_") for event in EVENTS} == FOLDERS


def test_each_job_type_has_its_page_and_each_page_its_job_type() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "jobs").glob("*.md")}
    assert pages == {config.type.value for config in REGISTRY.values()}


@pytest.mark.parametrize("config", REGISTRY.values(), ids=lambda config: config.type.value)
def test_what_a_page_says_of_retries_and_time_is_the_registrys(config: JobConfig) -> None:
    page = (ROOT / "docs" / "jobs" / f"{config.type.value}.md").read_text("utf-8")
    assert {int(number) for number in re.findall(r"\b(\d+) retries", page)} <= {config.retries}
    assert {int(number) for number in re.findall(r"timed out \((\d+) s\)", page)} <= {config.timeout}


def test_sam_is_told_about_the_nested_stacks_loops_in_every_environment() -> None:
    """Without it, it stops with an error that names neither the template nor the loop."""
    sections = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    environments = {name: each for name, each in sections.items() if isinstance(each, dict)}
    assert {"default", "dev", "staging", "production"} <= environments.keys()
    for section in environments.values():
        assert section["global"]["parameters"]["language_extensions"] is True
        if "deploy" in section:
            capabilities = section["deploy"]["parameters"]["capabilities"]
            assert capabilities == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


@each_function
def test_function_logs_to_its_own_group_which_outlives_the_stack(function: Function) -> None:
    group = function.resource.removesuffix("Function") + "LogGroup"
    assert function.properties["LoggingConfig"]["LogGroup"] == {"Ref": group}
    assert TEMPLATE.resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert TEMPLATE.resources[group]["DeletionPolicy"].startswith("Retain")


def test_producers_find_each_url_under_its_name() -> None:
    wanted = {
        function.folder.replace("_", "-"): f"${{{name}Url.FunctionUrl}}"
        for name, function in URLS.items()
        if name not in FOR_OTHERS
    }
    assert {**TEMPLATE.endpoints} == wanted
    assert {function.folder for function in WORKERS.values()} <= {each.folder for each in URLS.values()}


def test_others_learn_their_url_from_the_stacks_output() -> None:
    outputs = [json.dumps(output["Value"]) for output in TEMPLATE.body["Outputs"].values()]
    for name in FOR_OTHERS:
        assert json.dumps({"Fn::GetAtt": [f"{name}Url", "FunctionUrl"]}) in outputs


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


# --- parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "taken", "refused"),
    [
        ("AppUrl", ["https://app.example.com", "http://localhost:3000"], ["", "app.example.com", "ftp://x"]),
        ("MailFrom", ["jobs@example.com", "Acme <hello@example.com>"], ["", "Acme"]),
        ("QStashUrl", ["https://qstash.upstash.io"], ["", "qstash.upstash.io"]),
        ("ScheduleTimeZone", ["UTC", "Europe/Paris", "Etc/GMT+3"], ["", "+01:00", "Europe Paris"]),
        ("AlarmEmail", ["", "ops@example.com"], ["ops", "ops@", "a b@example.com"]),
        ("ReservedConcurrency", ["", "5", "20", "1000"], ["0", "1", "4", "05", "-5", "many"]),
        ("WebhookConcurrency", ["", "1", "20", "1000"], ["0", "05", "-5", "many"]),
        ("SubnetIds", ["", "subnet-0a1b2c3d4e5f60718"], ["10.0.0.0/24", "subnet-", "sg-0a1b2c3d"]),
        ("SecurityGroupIds", ["", "sg-0a1b2c3d4e5f60718"], ["default", "sg-", "subnet-0a1b2c3d"]),
    ],
)
def test_a_parameter_that_cannot_be_right_is_refused_before_anything_is_deployed(
    parameter: str, taken: list[str], refused: list[str]
) -> None:
    pattern = TEMPLATE.parameters[parameter]["AllowedPattern"]
    assert [text for text in taken if not re.fullmatch(pattern, text)] == []
    assert [text for text in refused if re.fullmatch(pattern, text)] == []


def test_reserved_concurrency_throttles_nothing_that_flow_control_lets_through() -> None:
    """A throttled delivery uses up one of QStash's retries."""
    limits = [config.flow_control for config in REGISTRY.values() if config.flow_control]
    most = max(each.parallelism or 0 for each in limits)
    pattern = TEMPLATE.parameters["ReservedConcurrency"]["AllowedPattern"]
    allowed = [number for number in range(1000) if re.fullmatch(pattern, str(number))]
    assert min(allowed) == most


def test_concurrency_and_the_vpc_are_the_accounts_and_the_default_ones_until_somebody_says_so() -> None:
    common = TEMPLATE.body["Globals"]["Function"]
    unset = {"Ref": "AWS::NoValue"}
    assert common["ReservedConcurrentExecutions"]["Fn::If"][2] == common["VpcConfig"]["Fn::If"][2] == unset
    for name in ("ReservedConcurrency", "WebhookConcurrency", "SubnetIds", "SecurityGroupIds"):
        assert TEMPLATE.parameters[name]["Default"] == ""
    for function in FUNCTIONS.values():
        own = {"VpcConfig", "ReservedConcurrentExecutions"} & TEMPLATE.resources[function.resource][
            "Properties"
        ].keys()
        assert own == (
            {"ReservedConcurrentExecutions"} if function.resource == "ReceiveWebhookFunction" else set()
        )
    receivers = FUNCTIONS["ReceiveWebhookFunction"].properties["ReservedConcurrentExecutions"]
    asked_for = {"Ref": "WebhookConcurrency"}
    assert receivers["Fn::If"] == [
        "HasWebhookConcurrency",
        asked_for,
        common["ReservedConcurrentExecutions"],
    ]


# --- limits --------------------------------------------------------------------------------------------------

LONGEST_NAMES = {  # every other resource is named by CloudFormation, which cuts a name to what it may have
    ("SharedLayer", "LayerName"): 64,
    ("JobEndpoints", "Name"): 900,  # 1011 with what the parameter's ARN has before it
    ("Dashboard", "DashboardName"): 255,
}


def test_a_stack_name_of_fifty_characters_fits_into_every_name_that_is_made_of_it() -> None:
    resources: dict[str, Any] = TEMPLATE.body["Resources"] | Template(NESTED).body["Resources"]
    named = {
        (name, key): value
        for name, resource in resources.items()
        if isinstance(resource, dict)
        for key, value in resource.get("Properties", {}).items()
        if key == "Name" or (key.endswith("Name") and key != "MetricName")
    }
    assert named.keys() == LONGEST_NAMES.keys()
    for key, value in named.items():
        text = re.sub(r"\$\{(AWS::StackName|Service)\}", "s" * 50, value["Fn::Sub"])
        assert len(text.replace("${AWS::Region}", "ap-southeast-1")) <= LONGEST_NAMES[key], key


def test_the_endpoints_fit_into_a_standard_parameter_twice() -> None:
    """Such a one is free and holds 4 KB; function URLs have this length in the region of the longest name."""
    assert TEMPLATE.resources["JobEndpoints"]["Properties"]["Tier"] == "Standard"
    url = f"https://{'a' * 32}.lambda-url.ap-southeast-1.on.aws/"
    text = re.sub(
        r"\$\{\w+\.FunctionUrl\}", url, TEMPLATE.resources["JobEndpoints"]["Properties"]["Value"]["Fn::Sub"]
    )
    assert url in json.loads(text).values()
    assert len(text.encode()) < 4096 / 2


def test_cloudformation_takes_the_template(translated: dict[str, dict[str, Any]]) -> None:
    for resources, path in ((translated, ROOT / "template.yaml"), (nested()["Resources"], NESTED)):
        assert len(resources) <= 500
        assert len(json.dumps(resources)) < 1_000_000
        assert path.stat().st_size < 1_000_000
    assert len(TEMPLATE.parameters) <= 200
    assert len(TEMPLATE.body["Outputs"]) <= 200


# --- data ----------------------------------------------------------------------------------------------------

KEPT = {"AWS::SecretsManager::Secret", "AWS::S3::Bucket", "AWS::Logs::LogGroup"}


@pytest.mark.parametrize("name", [n for n, each in TEMPLATE.resources.items() if each["Type"] in KEPT])
def test_data_outlives_the_stack_but_not_a_first_deploy_that_failed(name: str) -> None:
    resource = TEMPLATE.resources[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_files_are_private_encrypted_and_travel_over_tls() -> None:
    bucket = TEMPLATE.resources["FilesBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (statement,) = TEMPLATE.resources["FilesBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    assert len(statement["Resource"]) == 2


def test_nothing_waits_for_itself(translated: dict[str, dict[str, Any]]) -> None:
    waits = {
        name: {*references(each["Properties"]), *_depends_on(each)} & translated.keys() - {name}
        for name, each in translated.items()
    }
    while ready := {name for name, others in waits.items() if not others & waits.keys()}:
        for name in ready:
            del waits[name]
    assert not waits, f"these wait for each other: {sorted(waits)}"


def _depends_on(resource: dict[str, Any]) -> list[str]:
    names = resource.get("DependsOn", [])
    return names if isinstance(names, list) else [names]


# --- around --------------------------------------------------------------------------------------------------


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
