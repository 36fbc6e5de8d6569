"""template.yaml: the job type's function with its log group, its URL for producers, and its alarms' parameter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import yaml

from infra.new_job.errors import Refused
from infra.new_job.lines import after_block, after_last, before
from infra.new_job.names import Name
from infra.new_job.wanted import NewJob
from infra.template import parsed

PATH = "template.yaml"
_DEFAULT_MEMORY = 512  # Globals
_LAST_ENDPOINT = '          "record-failure": '


@lru_cache(maxsize=8)  # each edit reads it, and most find it as it was
def read(text: str, path: str = PATH) -> dict[str, Any]:
    """A template as data. Raises Refused where it is no YAML."""
    try:
        found = parsed(text)
    except yaml.YAMLError as error:
        raise Refused(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise Refused(f"{path} has no Resources: put it back")
    return found


def function_of(text: str, name: Name) -> dict[str, Any] | None:
    """The properties of the type's function. Raises Refused where another thing has its name."""
    body = read(text)
    resources = body["Resources"]
    handler = f"functions.{name.module}.handler.handler"
    found = resources.get(name.function)
    if found is not None and found.get("Properties", {}).get("Handler") != handler:
        raise Refused(f"{name.function} in {PATH} is something else already: take another NAME")
    return None if found is None else dict(found["Properties"])


def with_function(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """The function and its log group, after those of the other job types."""
    resources, name = read(text)["Resources"], job.name
    if name.function not in resources:
        groups = [f"  {each.log_group}" for each in known]
        text = after_block(text, "\n" + _function(job), groups, PATH)
    if name.log_group not in resources:
        text = after_block(text, "\n" + _log_group(name), [f"  {name.function}"], PATH)
    return text


def with_endpoint(text: str, job: NewJob, _known: Sequence[Name]) -> str:
    """The line that tells producers the function's URL."""
    value = read(text)["Resources"]["JobEndpoints"]["Properties"]["Value"]["Fn::Sub"]
    if job.name.type in json.loads(value):
        return text
    line = f'          "{job.name.type}": "${{{job.name.function}Url.FunctionUrl}}",\n'
    return before(text, line, _LAST_ENDPOINT, PATH)


def with_parameter(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """The function's name, handed to the stack of the alarms."""
    given = read(text)["Resources"]["Observability"]["Properties"]["Parameters"]
    if job.name.function in given:
        return text
    line = f"        {job.name.function}: !Ref {job.name.function}\n"
    return after_last(text, line, lambda each: f"        {each.function}: !Ref ", known, PATH)


def _function(job: NewJob) -> str:
    name = job.name
    memory = "" if job.memory == _DEFAULT_MEMORY else f"      MemorySize: {job.memory}\n"
    return f"""\
  {name.function}:
    Type: AWS::Serverless::Function
    DependsOn: Migrations
    Metadata:
      BuildMethod: makefile
    Properties:
      Description: {_text(f"{name.type}. {job.description}")}
      Handler: functions.{name.module}.handler.handler
      AutoPublishAliasAllProperties: true
      Timeout: {job.timeout + 5}
{memory}      FunctionUrlConfig:
        AuthType: NONE
      LoggingConfig:
        LogGroup: !Ref {name.log_group}
      Policies:
        - !Ref DeliveryPolicy
"""


def _log_group(name: Name) -> str:
    return f"""\
  {name.log_group}:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties:
      RetentionInDays: !Ref LogRetentionDays
"""


def _text(value: str) -> str:
    """As YAML: plain where that is read as it is, else in quotes."""
    return json.dumps(value, ensure_ascii=False) if ": " in value or " #" in value else value
