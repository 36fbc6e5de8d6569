"""The AWS account that an environment is deployed to, and what it says of a stack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from infra.samconfig import Environment

_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
_NO_ACCESS = "run `aws configure` or `aws sso login`, or set AWS_PROFILE"
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105  # a resource's type


class AwsUnavailable(Exception):
    """AWS could not be asked; the message says why, and what to do."""


class NoSuchStack(Exception):
    """The stack has not been deployed, at least not to this account and region."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a stack: its type, the name that it has at AWS, and its state."""

    type: str
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack as CloudFormation describes it; its resources by logical id, its outputs by key."""

    name: str
    status: str
    reason: str
    resources: dict[str, Resource]
    outputs: dict[str, str]

    @property
    def secrets(self) -> dict[str, str]:
        """The ARNs of its secrets, by logical id."""
        return {name: each.name for name, each in self.resources.items() if each.type == _SECRET}


class Account:
    """One account and region. Every method raises AwsUnavailable where AWS cannot be asked, or does not allow it."""

    def __init__(self, environment: Environment) -> None:
        with _in_our_words():
            self._session = boto3.Session(profile_name=environment.profile, region_name=environment.region)

    @property
    def region(self) -> str:
        """Where it is asked."""
        return self._session.region_name or "no region"

    @property
    def number(self) -> str:
        """The account's number. Asking for it proves the credentials."""
        with _in_our_words():
            return str(self._client("sts").get_caller_identity()["Account"])

    def stack(self, name: str) -> DeployedStack:
        """The stack of this name. Raises NoSuchStack."""
        client = self._client("cloudformation")
        with _in_our_words():
            found = self._described(client, name)
            pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
            resources = {
                each["LogicalResourceId"]: Resource(
                    each["ResourceType"], each.get("PhysicalResourceId", ""), each["ResourceStatus"]
                )
                for page in pages
                for each in page["StackResourceSummaries"]
                if each["ResourceStatus"] != "DELETE_COMPLETE"  # what a rollback has taken away is listed too
            }
        return DeployedStack(
            name, found["StackStatus"], found.get("StackStatusReason", ""), resources, _outputs(found)
        )

    def outputs(self, name: str) -> dict[str, str]:
        """The outputs of the stack of this name. Raises NoSuchStack."""
        client = self._client("cloudformation")
        with _in_our_words():
            found = self._described(client, name)
        return _outputs(found)

    def delete_stack(self, name: str) -> None:
        """Delete a stack and wait until it is gone. Raises AwsUnavailable too where CloudFormation gives up."""
        client = self._client("cloudformation")
        with _in_our_words():
            client.delete_stack(StackName=name)
            client.get_waiter("stack_delete_complete").wait(StackName=name)

    def secret(self, arn: str) -> dict[str, Any]:
        """A secret's entries. Raises AwsUnavailable too where it holds something else."""
        with _in_our_words():
            text = self._client("secretsmanager").get_secret_value(SecretId=arn).get("SecretString", "")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise AwsUnavailable(f"the secret {arn} is no JSON object: make it one, {{}} for an empty one")
        return found

    def write_secret(self, arn: str, entries: Mapping[str, Any]) -> None:
        """Make these a secret's entries, in place of all that it had."""
        with _in_our_words():
            self._client("secretsmanager").put_secret_value(
                SecretId=arn, SecretString=json.dumps(dict(entries))
            )

    def parameter(self, name: str) -> str:
        """An SSM parameter's value."""
        with _in_our_words():
            return str(self._client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def concurrency(self) -> int:
        """How many functions may run at once in this account and region."""
        with _in_our_words():
            limits = self._client("lambda").get_account_settings()["AccountLimit"]
        return int(limits["ConcurrentExecutions"])

    def _described(self, client: Any, name: str) -> dict[str, Any]:
        try:
            (found,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            raise NoSuchStack(f"there is no stack {name} in {self.region}") from None
        return dict(found)

    def _client(self, service: str) -> Any:
        with _in_our_words():
            return self._session.client(service, config=_CONFIG)


def _outputs(described: Mapping[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except NoCredentialsError:
        raise AwsUnavailable(f"there are no AWS credentials: {_NO_ACCESS}") from None
    except NoRegionError:
        raise AwsUnavailable("no AWS region is set: set AWS_REGION, or region in samconfig.toml") from None
    except ClientError as error:
        raise AwsUnavailable(f"AWS refuses: {error}") from None
    except BotoCoreError as error:  # an unknown profile, an expired login, no network
        raise AwsUnavailable(f"AWS cannot be asked: {error} ({_NO_ACCESS})") from None
