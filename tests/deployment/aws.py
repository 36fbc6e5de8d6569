"""What moto does not have here: CloudFormation's description of a stack, and Lambda's account settings, for real boto3."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from infra.local.aws import REGION
from tests.deployment.serving import Answer, Asked, serving

_DOES_NOT_EXIST = """<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>
<Message>Stack with id {name} does not exist</Message></Error></ErrorResponse>"""
_STACK = """<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>{name}</StackName>
<StackStatus>{status}</StackStatus><StackStatusReason>{reason}</StackStatusReason>
<CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""
_OUTPUT = "<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
_RESOURCE = """<member><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>
<ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>
<LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>"""
_RESOURCES = """<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries>{members}
</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>"""


@dataclass
class Description:
    """A stack as CloudFormation would describe it; `resources` are (type, physical id) by logical id."""

    name: str
    resources: dict[str, tuple[str, str]]
    outputs: dict[str, str] = field(default_factory=dict)
    status: str = "UPDATE_COMPLETE"
    reason: str = ""
    there: bool = True
    taken_away: set[str] = field(default_factory=set)  # resources that a rollback has deleted
    concurrency: int = 1000
    refused: set[str] = field(default_factory=set)  # operations that IAM does not allow
    calls: list[str] = field(default_factory=list)

    def answer(self, operation: str, name: str) -> tuple[int, str]:
        """The status and body of one operation's answer."""
        self.calls.append(operation)
        if operation in self.refused:
            words = f"User is not authorized to perform: {operation}"
            return (
                403,
                f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{words}</Message></Error></ErrorResponse>",
            )
        if not (self.there and name == self.name):
            return 400, _DOES_NOT_EXIST.format(name=escape(name))
        return 200, self._answer(operation)

    def _answer(self, operation: str) -> str:
        if operation == "DescribeStacks":
            outputs = "".join(
                _OUTPUT.format(key=key, value=escape(value)) for key, value in self.outputs.items()
            )
            return _STACK.format(
                name=self.name, status=self.status, reason=escape(self.reason), outputs=outputs
            )
        if operation == "ListStackResources":
            members = (
                _RESOURCE.format(
                    logical=logical,
                    physical=escape(physical),
                    kind=kind,
                    status="DELETE_COMPLETE" if logical in self.taken_away else "CREATE_COMPLETE",
                )
                for logical, (kind, physical) in self.resources.items()
            )
            return _RESOURCES.format(members="".join(members))
        assert operation == "DeleteStack"
        self.there = False
        return "<DeleteStackResponse></DeleteStackResponse>"


def credentials(folder: Path) -> dict[str, str]:
    """The variables of an operator who has credentials, and no files of AWS's."""
    return {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "operator",
        "AWS_SECRET_ACCESS_KEY": "operator",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def described(description: Description) -> AbstractContextManager[str]:
    """The address that CloudFormation and Lambda have meanwhile."""

    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            form = parse_qs(asked.body)
            return description.answer(form["Action"][0], form["StackName"][0])
        assert asked.path.rstrip("/").endswith("account-settings")
        if "GetAccountSettings" in description.refused:
            return 403, '{"Message": "not authorized"}'
        limits = {"ConcurrentExecutions": description.concurrency}
        return 200, json.dumps({"AccountLimit": limits, "AccountUsage": {}})

    return serving(answer)
