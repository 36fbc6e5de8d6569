"""The nested stack: every function and job type has its alarms, and each alarm tells somebody something."""

from __future__ import annotations

import re
from typing import Any

import pytest

from functions.jobs_api.reading import figures
from infra.schedules.declaration import RESOURCE_TYPE
from infra.template import Template
from shared.registry import REGISTRY, JobConfig, JobType
from tests.artifact.observability import NESTED, Alarm, alarms, dashboard, nested, shown
from tests.artifact.template import ROOT, TEMPLATE, references

ALARMS = alarms()
WRITTEN: dict[str, Any] = Template(NESTED).body["Resources"]  # with its loops, which are lists
COMPOSITES = {
    name: each["Properties"]
    for name, each in WRITTEN.items()
    if isinstance(each, dict) and each["Type"] == "AWS::CloudWatch::CompositeAlarm"
}
SILENT = {"NoAttempts"}  # a part of a composite alarm

each_alarm = pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
each_type = pytest.mark.parametrize("config", REGISTRY.values(), ids=lambda config: config.type.value)


@pytest.mark.parametrize("name", TEMPLATE.functions)
@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_each_function_has_alarms_for_what_lambda_sees_of_it(name: str, metric: str) -> None:
    alarm = ALARMS[name.removesuffix("Function") + metric]
    assert (alarm.metric.namespace, alarm.metric.name) == ("AWS/Lambda", metric)
    assert alarm.metric.dimensions == {("FunctionName", name)}
    assert TEMPLATE.resources["Observability"]["Properties"]["Parameters"][name] == {"Ref": name}


@pytest.mark.parametrize("name", TEMPLATE.functions)
def test_each_function_is_on_the_dashboard(name: str) -> None:
    assert ("FunctionName", name) in {each for metric in shown() for each in metric.dimensions}


@each_type
def test_each_job_type_has_an_alarm_before_its_attempts_are_cut_off(config: JobConfig) -> None:
    alarm = ALARMS[f"{config.type.class_name}Slow"]
    assert ("job_type", config.type.value) in alarm.metric.dimensions
    assert (alarm.metric.name, alarm.properties["Statistic"]) == ("Duration", "Average")
    assert 0 < alarm.properties["Threshold"] <= config.timeout / 2


def test_no_alarm_is_left_of_a_function_or_a_type_that_is_gone() -> None:
    about = {value for alarm in ALARMS.values() for _name, value in alarm.metric.dimensions}
    assert about - {"posthaste"} == TEMPLATE.functions.keys() | {each.value for each in JobType}


def test_the_stack_is_given_what_it_takes() -> None:
    given = TEMPLATE.resources["Observability"]["Properties"]["Parameters"]
    assert given.keys() == Template(NESTED).parameters.keys()
    assert given["Service"] == TEMPLATE.functions["ReconcileFunction"].variables["POWERTOOLS_SERVICE_NAME"]
    namespaces = {each.metric.namespace for each in ALARMS.values()} - {"AWS/Lambda"}
    assert namespaces == {TEMPLATE.functions["ReconcileFunction"].variables["POWERTOOLS_METRICS_NAMESPACE"]}


@each_alarm
def test_an_alarm_says_what_is_wrong_and_tells_the_topic(alarm: Alarm) -> None:
    assert alarm.properties["AlarmDescription"].endswith(".")
    told = [alarm.properties.get(each) for each in ("AlarmActions", "OKActions")]
    assert told == [None if alarm.name in SILENT else [{"Ref": "Topic"}]] * 2


@each_alarm
def test_an_alarm_has_decided_what_silence_means(alarm: Alarm) -> None:
    assert alarm.properties["TreatMissingData"] in {"breaching", "notBreaching", "ignore"}
    assert "AlarmName" not in alarm.properties  # two stacks would collide


@each_alarm
def test_an_alarm_looks_back_a_day_at_most(alarm: Alarm) -> None:
    """CloudWatch's limit."""
    periods = alarm.properties["EvaluationPeriods"]
    most = (
        TEMPLATE.parameters["SweepSilenceMinutes"]["MaxValue"]
        if periods == {"Ref": "SweepSilenceMinutes"}
        else periods
    )
    assert alarm.properties["Period"] % 60 == 0
    assert alarm.properties["Period"] * most <= 86_400


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_alarm_names_alarms_that_are_there(name: str) -> None:
    rule = COMPOSITES[name]["AlarmRule"]["Fn::Sub"]
    named = set(re.findall(r'ALARM\("\$\{(\w+)\.Arn\}"\)', rule))
    assert re.sub(r'ALARM\("\$\{\w+\.Arn\}"\)| AND | OR ', "", rule) == ""
    assert len(named) > 1
    assert named <= ALARMS.keys()
    assert COMPOSITES[name]["AlarmActions"] == [{"Ref": "Topic"}]


def test_the_schedule_that_is_missed_is_one_that_comes_every_hour() -> None:
    (job_type,) = (value for name, value in ALARMS["ScheduleMissed"].metric.dimensions if name == "job_type")
    schedules = [each["Properties"] for each in TEMPLATE.resources.values() if each["Type"] == RESOURCE_TYPE]
    assert [each["Cron"] for each in schedules if each["JobType"] == job_type] == ["0 * * * *"]


def test_the_sweeps_default_rate_is_within_its_alarms_patience() -> None:
    assert TEMPLATE.parameters["ReconcileSchedule"]["Default"] == "rate(1 minute)"
    assert TEMPLATE.parameters["SweepSilenceMinutes"]["Default"] >= 2


def test_health_is_bad_where_an_alarm_rings() -> None:
    assert ALARMS["FailedRate"].properties["Threshold"] == figures.FAILURE_RATE
    assert ALARMS["OldestPending"].properties["Threshold"] == figures.OLDEST_PENDING
    assert ALARMS["StuckJobs"].properties["Threshold"] == 0


def test_widgets_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        x, y, width, height = (widget[name] for name in ("x", "y", "width", "height"))
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert x + width <= 24
        assert not cells & taken
        taken |= cells


def test_each_alarm_has_its_chapter_in_the_documentation() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    headings = {
        name for line in page.splitlines() if line.startswith("### ") for name in re.findall(r"`(\w+)`", line)
    }
    by_loop = re.compile(r"\w+(Slow|Errors|Throttles)$")
    single = {name for name in {*ALARMS, *COMPOSITES} if not by_loop.match(name)}
    assert headings == single | {"NameSlow", "NameErrors", "NameThrottles"}


def test_only_names_of_the_stack_are_referred_to() -> None:
    resources = nested()["Resources"]
    known = resources.keys() | nested()["Parameters"].keys()
    assert {name for name in references(resources) if not name.startswith("AWS::")} <= known


def test_the_page_of_costs_counts_each_alarm() -> None:
    """Those of the job types that it names; of each further one it says what it adds."""
    page = (ROOT / "docs" / "cost.md").read_text("utf-8")
    counted = re.findall(r"^\| CloudWatch: (?:composite )?alarms?\b[^|]*\| (\d+) \|", page, re.MULTILINE)
    (types,) = re.findall(r"the (\d+) job types that it comes with", page)
    assert "adds three alarms" in page
    further = 3 * (len(JobType) - int(types))
    assert [int(each) for each in counted] == [len(ALARMS) - further, len(COMPOSITES)]
