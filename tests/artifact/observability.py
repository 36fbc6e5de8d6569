"""infra/observability.yaml as CloudFormation sees it, and what its alarms make of metrics."""

from __future__ import annotations

import json
import operator
import re
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from infra.template import ROOT, Template

NESTED = ROOT / "infra" / "observability.yaml"
SERVICE = "posthaste"  # what metrics carry that are emitted outside a stack
# Runs in the SAM CLI's environment, which knows Fn::ForEach.
_EXPAND = """
import json
from samcli.lib.cfn_language_extensions.sam_integration import process_template_for_sam_cli
from samcli.yamlhelper import yaml_parse
template = yaml_parse(open("infra/observability.yaml").read())
print(json.dumps(process_template_for_sam_cli(template, {})))
"""
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Average": statistics.fmean,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}
_COMPARISONS = {"GreaterThanThreshold": operator.gt, "LessThanThreshold": operator.lt}
_MISSING = {"breaching": True, "notBreaching": False, "ignore": None}
_SEARCH = re.compile(r"SEARCH\('\{([\w/,]+)\} ([^']+)'")


@dataclass(frozen=True)
class Metric:
    """A metric by its name and dimensions; a dimension's value is None where any will do."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str | None]]

    def with_any(self, dimension: str) -> Metric:
        """The same for whatever value of a dimension."""
        named = frozenset((name, None if name == dimension else value) for name, value in self.dimensions)
        return Metric(self.namespace, self.name, named)


@dataclass(frozen=True)
class Datum:
    """One value that was emitted."""

    metric: Metric
    value: float


@dataclass(frozen=True)
class Alarm:
    """One alarm of a metric."""

    name: str
    properties: dict[str, Any]

    @property
    def metric(self) -> Metric:
        """What it looks at."""
        dimensions = ((each["Name"], _value(each["Value"])) for each in self.properties["Dimensions"])
        return Metric(self.properties["Namespace"], self.properties["MetricName"], frozenset(dimensions))

    def breaches(self, emitted: Iterable[Datum]) -> bool | None:
        """What CloudWatch makes of one period in which this was emitted; None leaves the state as it was."""
        values = [each.value for each in emitted if each.metric == self.metric]
        if not values:
            return _MISSING[self.properties["TreatMissingData"]]
        compare = _COMPARISONS[self.properties["ComparisonOperator"]]
        found: bool = compare(_STATISTICS[self.properties["Statistic"]](values), self.properties["Threshold"])
        return found


@cache
def nested() -> dict[str, Any]:
    """The template with its loops written out."""
    command = [str(ROOT / ".venv-sam/bin/python"), "-c", _EXPAND]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def alarms() -> dict[str, Alarm]:
    """Each alarm of a metric by its logical id."""
    resources = nested()["Resources"].items()
    return {
        name: Alarm(name, each["Properties"])
        for name, each in resources
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


def dashboard() -> dict[str, Any]:
    """The dashboard's document in a stack that could be."""
    written = Template(NESTED).body["Resources"]  # SAM's expansion fills in a part
    text = written["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    values = {"Service": SERVICE, "AWS::Region": "eu-central-1"}
    found: dict[str, Any] = json.loads(
        re.sub(r"\$\{([\w:]+)\}", lambda name: values.get(name[1], name[1]), text)
    )
    return found


def shown() -> Iterator[Metric]:
    """Each metric on the dashboard."""
    for widget in dashboard()["widgets"]:
        above: list[str] = []
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                yield from _searched(row[0]["expression"])
                continue
            above = _written_out([each for each in row if isinstance(each, str)], above)
            namespace, name, *dimensions = above
            yield Metric(namespace, name, frozenset(zip(dimensions[::2], dimensions[1::2], strict=True)))


def emitted_in(output: str) -> list[Datum]:
    """What CloudWatch takes out of log lines in its embedded metric format."""
    lines = (json.loads(line) for line in output.splitlines() if line.startswith('{"_aws"'))
    return [
        Datum(Metric(each["Namespace"], metric["Name"], frozenset((key, line[key]) for key in keys)), value)
        for line in lines
        for each in line["_aws"]["CloudWatchMetrics"]
        for keys in each["Dimensions"]
        for metric in each["Metrics"]
        for value in line[metric["Name"]]
    ]


def _written_out(row: list[str], above: list[str]) -> list[str]:
    """The row with what `...` stands for: all of the row above but as much as follows."""
    return above[: len(above) - len(row) + 1] + row[1:] if row[0] == "..." else row


def _searched(expression: str) -> Iterator[Metric]:
    for schema, terms in _SEARCH.findall(expression):
        namespace, *names = schema.split(",")
        given = dict(re.findall(r'(\w+)="([^"]+)"', terms))
        dimensions = frozenset((name, given.get(name)) for name in names)
        for name in re.findall(r'MetricName="(\w+)"', terms):
            yield Metric(namespace, name, dimensions)


def _value(value: Any) -> str:
    match value:
        case {"Ref": "Service"}:
            return SERVICE
        case {"Ref": str(name)}:
            return name
        case _:
            return str(value)
