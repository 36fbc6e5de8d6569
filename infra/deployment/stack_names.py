"""How long a stack's name may be: what the template names after it has limits of its own at AWS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from infra.template import Template

# Characters that AWS allows in a name which the template chooses. Names that CloudFormation chooses are cut to fit.
_LIMITS = {
    ("AWS::CloudWatch::Alarm", "AlarmName"): 255,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    ("AWS::Events::Rule", "Name"): 64,
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): 128,
    ("AWS::IAM::Role", "RoleName"): 64,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::SNS::Topic", "TopicName"): 256,
    ("AWS::SSM::Parameter", "Name"): 1011,
    ("AWS::SecretsManager::Secret", "Name"): 512,
    ("AWS::Serverless::Function", "FunctionName"): 64,
    ("AWS::Serverless::LayerVersion", "LayerName"): 64,  # 140 with the account and region before it
}
_STACK = 128
_NESTED = {"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}
_NESTED_SUFFIX = 14  # what CloudFormation adds to a nested stack's name: two hyphens and twelve letters
_SCHEDULE_ID = 128
_ACCOUNT, _REGION = "0" * 12, "ap-southeast-1"  # the longest that there are


class Longest(NamedTuple):
    """The most characters that a stack's name may have, and for whose sake."""

    length: int
    because: str


def longest_stack_name(template: Template) -> Longest:
    """What this template allows.

    >>> longest_stack_name(Template()).length
    57
    """
    return min(_limits(template))


def _limits(template: Template) -> Iterator[Longest]:
    yield Longest(_STACK, "CloudFormation's own limit")
    for name, resource in template.resources.items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in _NESTED:
            yield Longest(_STACK - _NESTED_SUFFIX - len(name), f"the nested stack {name}")
        if kind == "Custom::QStashSchedule":
            yield Longest(_SCHEDULE_ID - len(f".template.{name}"), f"the schedule {name}")
        for (limited, field), limit in _LIMITS.items():
            rest = _rest(properties.get(field)) if kind == limited else None
            if rest is not None:
                yield Longest(limit - rest, f"{field} of {name}")


def _rest(value: Any) -> int | None:
    """How long a name is beside the stack's; None where the stack's is no part of it."""
    match value:
        case {"Ref": "AWS::StackName"}:
            return 0
        case {"Fn::Sub": str(text)} if "${AWS::StackName}" in text:
            known = {"${AWS::StackName}": "", "${AWS::AccountId}": _ACCOUNT, "${AWS::Region}": _REGION}
            for reference, replacement in known.items():
                text = text.replace(reference, replacement)
            return len(text)
    return None
