"""What is refused before anything is deployed: each by name, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.deployment.prechecks import problems
from infra.deployment.stack_names import longest_stack_name
from infra.samconfig import (
    SAMCONFIG,
    Environment,
    UnknownEnvironment,
    UnreadableSamconfig,
    environment,
    environments,
)
from infra.template import ROOT, Template

TEMPLATE = Template()
RIGHT = {"AppUrl": "https://app.acme.io", "MailFrom": "Acme <jobs@acme.io>"}


def found(stack: str = "acme-jobs", **parameters: str) -> list[str]:
    return problems(Environment("dev", stack, RIGHT | parameters), TEMPLATE)


def test_a_right_environment_has_no_problems() -> None:
    assert found() == []


@pytest.mark.parametrize("name", environments())
def test_ours_lack_nothing_but_their_owners_addresses(name: str) -> None:
    """A new parameter without a default would have to be added to each; until somebody owns them, they are refused."""
    ours = environment(name)
    assert [each.split()[0] for each in problems(ours, TEMPLATE)] == ["AppUrl", "MailFrom"]
    assert all("is still the placeholder" in each for each in problems(ours, TEMPLATE))
    assert problems(Environment(name, ours.stack, ours.parameters | RIGHT), TEMPLATE) == []


# --- parameters --------------------------------------------------------------------------------------------


def test_a_missing_parameter_is_named_with_where_to_put_it() -> None:
    (problem,) = problems(Environment("dev", "acme", {"AppUrl": RIGHT["AppUrl"]}), TEMPLATE)
    assert problem.startswith('MailFrom is missing: add "MailFrom=…" to the parameter_overrides of dev')
    assert "on a domain that Resend has verified" in problem


@pytest.mark.parametrize(
    "value",
    [
        "https://www.example.com",
        "https://example.org/app",
        "https://app.example",
        "http://localhost:3000",
        "https://your-domain.com",
        "https://changeme.io",
        "https://<host>",
    ],
)
def test_a_placeholder_is_refused(value: str) -> None:
    (problem,) = found(AppUrl=value)
    assert problem.startswith(f"AppUrl is still the placeholder {value!r}: put yours into samconfig.toml")


@pytest.mark.parametrize(
    "value",
    [
        "https://myexample.com",
        "https://example.company.io",
        "https://yours.io",
        "https://app.test.acme.io",
        "https://your-agency.com",
        "https://mylocalhost.io",
        "https://testing.io/example",
    ],
)
def test_a_real_address_is_not_taken_for_one(value: str) -> None:
    assert found(AppUrl=value) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AppUrl", "app.acme.io", "must match ^https?://.+"),
        ("MailFrom", "nobody", "must match ^.+@.+$"),
        ("LogRetentionDays", "8", "must be one of 1, 3, 5, 7"),
        ("LogLevel", "LOUD", "must be one of DEBUG, INFO, WARN, ERROR"),
        ("Architecture", "sparc", "must be one of arm64, x86_64"),
        ("QStashMaxRetries", "0", "must be at least 1"),
        ("QStashMaxRetries", "many", "must be a number"),
        ("QStashMaxDelay", "59", "must be at least 60"),
        ("QStashUrl", "qstash.upstash.io", "must match"),
        ("Colour", "red", "is no parameter of template.yaml"),
    ],
)
def test_a_value_that_the_template_would_refuse(name: str, value: str, said: str) -> None:
    (problem,) = found(**{name: value})
    assert problem.startswith(name)
    assert said in problem


def test_of_a_list_each_part_is_looked_at() -> None:
    network = {"SecurityGroupIds": "sg-0a1b", "SubnetIds": "subnet-0a1b,subnet-2c3d"}
    assert found(**network) == []
    (problem,) = found(**network | {"SubnetIds": "subnet-0a1b,private"})
    assert "must match" in problem


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(found("1acme", AppUrl="x", ScheduleTimeZone="Mars/Base", ReconcileSchedule="often")) == 6


# --- schedules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression", ["rate(1 minute)", "rate(5 minutes)", "rate(1 hour)", "cron(0/5 * * * ? *)"]
)
def test_eventbridges_expressions_are_taken(expression: str) -> None:
    assert found(ReconcileSchedule=expression) == []


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "* * * * *", "cron(0 5 * * *)", ""]
)
def test_others_are_not(expression: str) -> None:
    (problem,) = found(ReconcileSchedule=expression)
    assert problem.startswith(f"ReconcileSchedule is {expression!r} and must be an EventBridge expression")


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str], Template]:
    """The template with one text in place of another."""

    def edit(old: str, new: str) -> Template:
        text = (ROOT / "template.yaml").read_text("utf-8")
        assert old in text
        path = tmp_path / "template.yaml"
        path.write_text(text.replace(old, new))
        return Template(path)

    return edit


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Cron: 0 3 * * *", "Cron: 61 3 * * *", "template.yaml: CleanupSchedule: Cron: "),
        ("Cron: 0 3 * * *", "Cron: 0 3 * *", "must have five fields"),
        ("JobType: cleanup-old-data", "JobType: clean-up", "there is no job type 'clean-up'"),
        ('"format": "pdf"', '"format": "docx"', "MonthlyReportSchedule: Payload.format: "),
    ],
)
def test_a_bad_schedule_is_refused(
    edited: Callable[[str, str], Template], old: str, new: str, said: str
) -> None:
    (problem,) = problems(Environment("dev", "acme", RIGHT), edited(old, new))
    assert said in problem


# --- names -------------------------------------------------------------------------------------------------


def test_a_name_too_long_for_what_is_named_after_it_says_for_what() -> None:
    longest = longest_stack_name(TEMPLATE).length
    assert found("a" * longest) == []
    (problem,) = found("a" * (longest + 1))
    assert problem == (
        f"stack_name {'a' * (longest + 1)!r} has {longest + 1} characters and may have {longest}, "
        "because of LayerName of SharedLayer: shorten it in samconfig.toml"
    )


def test_a_longer_derived_name_shortens_the_stacks(edited: Callable[[str, str], Template]) -> None:
    shorter = edited(
        "LayerName: !Sub ${AWS::StackName}-shared", "LayerName: !Sub ${AWS::StackName}-shared-layer"
    )
    assert longest_stack_name(shorter).length == longest_stack_name(TEMPLATE).length - len("-layer")


@pytest.mark.parametrize("name", ["", "1acme", "acme_jobs", "acme.jobs", "-acme"])
def test_a_name_that_cloudformation_would_refuse(name: str) -> None:
    (problem,) = found(name)
    assert problem.startswith(f"stack_name {name!r} must begin with a letter")


@pytest.mark.parametrize("name", ["aws-jobs", "SSMjobs"])
def test_a_name_that_no_parameter_may_begin_with(name: str) -> None:
    (problem,) = found(name)
    assert problem.startswith(f"stack_name {name!r} begins with {name[:3]!r}")


# --- samconfig.toml ----------------------------------------------------------------------------------------


def test_the_environments_are_told_where_one_is_unknown(tmp_path: Path) -> None:
    assert list(environments()) == ["dev", "staging", "production"]
    with pytest.raises(UnknownEnvironment, match=r"samconfig.toml has no stack 'moon'; it has dev, staging"):
        environment("moon")
    with pytest.raises(UnreadableSamconfig, match=r"none.toml cannot be read"):
        environments(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[dev")
    with pytest.raises(UnreadableSamconfig, match=r"broken.toml cannot be read"):
        environments(broken)


def test_overrides_are_read_as_sam_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text(
        '[eu.deploy.parameters]\nstack_name = "acme"\nregion = "eu-west-1"\nprofile = "acme"\n'
        "parameter_overrides = 'AppUrl=https://app.acme.io MailFrom=\"Acme <jobs@acme.io>\"'\n"
    )
    assert environment("eu", path) == Environment("eu", "acme", RIGHT, "eu-west-1", "acme")


def test_each_environment_has_a_stack_of_its_own() -> None:
    stacks = [each.stack for each in environments(SAMCONFIG).values()]
    assert len(set(stacks)) == len(stacks)
