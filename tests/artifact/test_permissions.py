"""Each function may do what its code does, on its own resources, and nothing else: a right too few fails as one too many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared import storage
from tests.artifact.permissions import ACTIONS, ENDPOINTS, asked_for, granted, grants
from tests.artifact.template import ROOT, TEMPLATE, Function

FUNCTIONS = TEMPLATE.functions
SECRETS = {n for n, each in TEMPLATE.resources.items() if each["Type"] == "AWS::SecretsManager::Secret"}
Resources = dict[str, dict[str, Any]]

each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@pytest.fixture(scope="module")
def asks_of_s3() -> Iterator[dict[str, set[str]]]:
    """What each function of shared.storage needs to be allowed, seen by calling it."""
    seen: dict[str, set[str]] = {}
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name, value in {
            "FILES_BUCKET": "files",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }.items():
            environment.setenv(name, value)
        boto3.setup_default_session()
        session = boto3.DEFAULT_SESSION
        assert session is not None
        storage._client.cache_clear()
        session.client("s3").create_bucket(Bucket="files")

        def record(name: str) -> None:
            def operation(model: Any, **_more: Any) -> None:
                seen.setdefault(name, set()).add(ACTIONS[model.name])

            session.events.register("provide-client-params.s3", operation, unique_id="watch")

        record("upload")
        _upload_in_every_way()
        for name in ("link", "read", "delete"):
            session.events.unregister("provide-client-params.s3", unique_id="watch")
            storage._client.cache_clear()
            record(name)
            getattr(storage, name)(["exports/small"] if name == "delete" else "exports/small")
        yield seen
    boto3.DEFAULT_SESSION = None
    storage._client.cache_clear()


def _upload_in_every_way() -> None:
    """Small, in parts, over what a killed attempt left, and interrupted."""
    for size in (1, 2 * storage.PART + 1):
        with storage.upload("exports/small", content_type="text/csv") as file:
            file.write(b"x" * size)
    storage._client().create_multipart_upload(Bucket="files", Key="exports/left")
    with suppress(ZeroDivisionError), storage.upload("exports/left", content_type="text/csv") as file:
        file.write(b"x" * (storage.PART + 1))
        raise ZeroDivisionError


@each_function
def test_a_function_may_do_what_its_code_does_and_no_more(
    function: Function, translated: Resources, asks_of_s3: dict[str, set[str]]
) -> None:
    role = translated[f"{function.resource}Role"]["Properties"]
    assert granted(role, translated) == asked_for(function, asks_of_s3)


@each_function
def test_a_functions_boundary_leaves_it_what_it_is_granted(function: Function, translated: Resources) -> None:
    role = translated[f"{function.resource}Role"]["Properties"]
    assert role["PermissionsBoundary"] == {"Ref": "Boundary"}
    within = {action for action, resource in boundary(translated) if resource == "*"}
    assert {action for action, _resource in granted(role, translated)} <= within


@each_function
def test_a_role_is_the_functions_own_and_only_lambda_takes_it(
    function: Function, translated: Resources
) -> None:
    role = f"{function.resource}Role"
    assert translated[function.resource]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}
    (statement,) = translated[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": ["lambda.amazonaws.com"]}
    assert sum(f"'{role}'" in str(each["Properties"]) for each in translated.values()) == 1


def boundary(translated: Resources) -> set[tuple[str, str]]:
    return set(grants(translated["Boundary"]["Properties"]["PolicyDocument"]["Statement"]))


def test_of_awss_own_policies_only_logs_and_the_network_are_left(translated: Resources) -> None:
    """SAM attaches them, on `*`; the boundary has to leave what they are for."""
    roles = [each["Properties"] for each in translated.values() if each["Type"] == "AWS::IAM::Role"]
    attached = {arn for role in roles for arn in role["ManagedPolicyArns"] if isinstance(arn, str)}
    assert {arn.rpartition("/")[2] for arn in attached} == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
    }
    logs = {each for each in boundary(translated) if each[0].startswith("logs:")}
    assert logs == {
        (f"logs:{action}", "log-group ${AWS::StackName}-*") for action in ("CreateLogStream", "PutLogEvents")
    }


def test_network_interfaces_are_allowed_only_in_a_vpc(translated: Resources) -> None:
    statements = translated["Boundary"]["Properties"]["PolicyDocument"]["Statement"]
    for each in statements:
        network = [action for action, _resource in grants([each]) if action.startswith("ec2:")]
        assert bool(network) == ("Fn::If" in each)
    assert "InVpc" in str(statements)


def test_a_boundary_allows_nothing_that_no_function_is_granted(translated: Resources) -> None:
    roles = [each["Properties"] for each in translated.values() if each["Type"] == "AWS::IAM::Role"]
    used = {action for role in roles for action, _resource in granted(role, translated)}
    within = {action for action, _resource in boundary(translated)}
    assert {each for each in within if not each.startswith(("ec2:", "logs:"))} == used


def test_only_the_boundary_says_everything_and_each_time_why(translated: Resources) -> None:
    lines = (ROOT / "template.yaml").read_text("utf-8").splitlines()
    everything = [line for line in lines if 'Resource: "*"' in line]
    statements = translated["Boundary"]["Properties"]["PolicyDocument"]["Statement"]
    assert len(everything) == sum("*" in {where for _action, where in grants([each])} for each in statements)
    assert all("  # " in line for line in everything)


def test_each_secret_is_some_functions(translated: Resources) -> None:
    roles = [each["Properties"] for each in translated.values() if each["Type"] == "AWS::IAM::Role"]
    read = {
        resource for role in roles for action, resource in granted(role, translated) if "Secret" in action
    }
    assert read == SECRETS


def test_the_parameter_that_is_read_is_the_one_that_is_written(translated: Resources) -> None:
    name = translated["JobEndpoints"]["Properties"]["Name"]["Fn::Sub"]
    assert f"parameter {name.removeprefix('/')}" == ENDPOINTS
    for function in FUNCTIONS.values():
        assert function.variables["JOB_ENDPOINTS_PARAMETER"] == {"Fn::Sub": name}
