"""`make schedules`: what template.yaml declares is brought to a real QStash server, and nothing else is touched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qstash import QStash
from qstash.schedule import Schedule

from infra.local import environment as local_environment
from infra.local.qstash import QStashServer
from infra.schedules.__main__ import main
from infra.schedules.checking import check
from infra.schedules.stack import StackUnknown, deployed
from infra.schedules.template import InvalidSchedules
from infra.template import ROOT
from tests.integration.delivering import URL

TEMPLATE = """
Parameters:
  ScheduleTimeZone: {Type: String, Default: UTC}
Resources:
  CleanupSchedule:
    Type: Custom::QStashSchedule
    Properties:
      ServiceToken: !Ref ProvisionFunction.Alias
      ServiceTimeout: 900
      Version: !Ref ProvisionFunction.Version
      JobType: cleanup-old-data
      Cron: 0 3 * * *
      TimeZone: !Ref ScheduleTimeZone
      Overlap: skip
  MonthlyReportSchedule:
    Type: Custom::QStashSchedule
    Properties:
      JobType: generate-report
      Cron: 0 6 1 * *
      Payload: '{"reportType": "monthly-analytics", "format": "pdf"}'
"""
CLEANUP = "posthaste-staging.template.CleanupSchedule"
REPORT = "posthaste-staging.template.MonthlyReportSchedule"
Run = Callable[..., int]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture
def endpoints(environment: pytest.MonkeyPatch) -> None:
    """A stack's endpoints; no database, which schedules do not need."""
    names = ("cleanup-old-data", "generate-report", "record-failure")
    environment.setenv("JOB_ENDPOINTS", json.dumps(dict.fromkeys(names, URL)))
    environment.delenv("JOB_ENDPOINTS_PARAMETER", raising=False)
    environment.delenv("DATABASE_URL")


@pytest.fixture
def run(endpoints: None, file: Path) -> Run:
    return lambda *arguments: main(["--env", "staging", "--template", str(file), *arguments])


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


def kept(client: QStash) -> dict[str, Schedule]:
    return {each.schedule_id: each for each in client.schedule.list()}


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_what_is_declared_is_made(run: Run, client: QStash, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    found = kept(client)
    assert set(found) == {CLEANUP, REPORT}
    assert found[CLEANUP].cron == "CRON_TZ=UTC 0 3 * * *"
    body = json.loads(found[REPORT].body or "")
    assert body["payload"]["reportType"] == "monthly-analytics"
    assert f"+ create {CLEANUP}" in capsys.readouterr().out


def test_twice_changes_nothing_and_a_paused_one_stays_paused(
    run: Run, client: QStash, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    client.schedule.pause(CLEANUP)
    before = kept(client)
    capsys.readouterr()
    assert run() == 0
    assert kept(client) == before
    assert kept(client)[CLEANUP].paused
    assert capsys.readouterr().out == "posthaste-staging: all as declared, nothing to change\n"


def test_a_changed_entry_is_updated_alone(
    run: Run, client: QStash, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    client.schedule.pause(CLEANUP)
    report = kept(client)[REPORT]
    change(file, "0 3 * * *", "30 4 * * *")
    assert run() == 0
    found = kept(client)
    assert (found[CLEANUP].cron, found[CLEANUP].paused) == ("CRON_TZ=UTC 30 4 * * *", True)
    assert found[REPORT] == report
    assert f"~ update {CLEANUP}  CRON_TZ=UTC 30 4 * * *: cron (stays paused)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [('"pdf"', '"csv"', "body"), ("Cron: 0 6 1 * *", "Cron: 0 6 1 * *\n      Retries: 1", "retries")],
)
def test_every_property_counts(
    run: Run,
    client: QStash,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    named: str,
) -> None:
    run()
    capsys.readouterr()
    change(file, old, new)
    assert run() == 0
    (line, _summary) = capsys.readouterr().out.splitlines()
    assert REPORT in line
    assert named in line


def test_what_somebody_changed_at_qstash_is_put_back(run: Run, client: QStash) -> None:
    run()
    client.schedule.create(destination="https://elsewhere.example.com", cron="* * * * *", schedule_id=CLEANUP)
    assert run() == 0
    assert kept(client)[CLEANUP].destination == URL


def test_a_removed_entry_is_deleted_and_others_schedules_are_not(
    run: Run, client: QStash, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    others = {
        "mine",
        "posthaste.template.CleanupSchedule",
        "posthaste-staging.mine",
        "posthaste-staging2.template.X",
    }
    for name in others:
        client.schedule.create(destination=URL, cron="0 1 * * *", schedule_id=name)
    file.write_text(TEMPLATE.partition("  MonthlyReportSchedule")[0])
    assert run() == 0
    assert set(kept(client)) == others | {CLEANUP}
    assert f"- delete {REPORT}" in capsys.readouterr().out


def test_a_dry_run_tells_and_changes_nothing(
    run: Run, client: QStash, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    change(file, "0 3 * * *", "30 4 * * *")
    change(file, "  MonthlyReportSchedule:", "  YearlyReportSchedule:")
    before = kept(client)
    capsys.readouterr()
    assert run("--dry-run") == 0
    assert kept(client) == before
    *lines, summary = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in lines] == ["~ update", "+ create", "- delete"]
    assert summary == "posthaste-staging: 3 to change; this was a dry run"


def test_all_that_is_wrong_is_said_before_anything_is_changed(
    run: Run, client: QStash, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(file, "0 3 * * *", "61 3 * * *")
    change(file, "JobType: generate-report", "JobType: generate-reports")
    change(file, "Cron: 0 6 1 * *", "Cron: 0 6 1 *")
    assert run() == 1
    said = capsys.readouterr().err
    assert "CleanupSchedule: Cron" in said
    assert "MonthlyReportSchedule: JobType: there is no job type 'generate-reports'" in said
    assert "Cron: Value error, must have five fields" in said
    assert kept(client) == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"monthly-analytics"', '"weekly"', "Payload.reportType"),
        ("Cron: 0 6 1 * *", "Cron: !Sub 0 6 1 * *", "Cron: must be a plain value"),
        ("JobType: generate-report", "JobType: send-email", "Payload"),
    ],
)
def test_an_invalid_entry_is_named(
    run: Run,
    client: QStash,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    said: str,
) -> None:
    change(file, old, new)
    assert run() == 1
    assert f"MonthlyReportSchedule: {said}" in capsys.readouterr().err
    assert kept(client) == {}


def test_a_qstash_that_cannot_be_reached_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 1
    assert "QStash at http://127.0.0.1:1" in capsys.readouterr().err


def test_a_missing_token_is_said(
    run: Run, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("QSTASH_TOKEN")
    assert run() == 2
    said = capsys.readouterr().err
    assert "QSTASH_TOKEN is missing" in said
    assert "DATABASE_URL" not in said


def test_an_unknown_environment_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--env", "moon"]) == 2
    assert "no stack 'moon'; it has dev, staging, production" in capsys.readouterr().err


def test_settings_of_another_stack_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_ENDPOINTS_PARAMETER", "/posthaste/job-endpoints")
    assert deployed("production").name == "posthaste"
    with pytest.raises(StackUnknown, match="not staging's"):
        deployed("staging")


def test_a_stacks_parameters_are_those_of_samconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOB_ENDPOINTS_PARAMETER", raising=False)
    monkeypatch.delenv("QSTASH_URL", raising=False)
    path = tmp_path / "samconfig.toml"
    overrides = '["ScheduleTimeZone=Europe/Paris", "QStashUrl=https://qstash-us-east-1.upstash.io"]'
    path.write_text(f'[eu.deploy.parameters]\nstack_name = "acme"\nparameter_overrides = {overrides}\n')
    stack = deployed("eu", path)
    assert (stack.name, stack.parameters["ScheduleTimeZone"]) == ("acme", "Europe/Paris")
    assert stack.variables == {
        "JOB_ENDPOINTS_PARAMETER": "/acme/job-endpoints",
        "QSTASH_URL": "https://qstash-us-east-1.upstash.io",
    }


def test_without_a_stack_it_is_the_running_local_clouds(
    qstash: QStashServer,
    client: QStash,
    file: Path,
    tmp_path: Path,
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = tmp_path / "env"
    environment.setattr(local_environment, "ENVIRONMENT", written)
    assert main(["--template", str(file)]) == 2
    assert "make dev" in capsys.readouterr().err
    names = ("cleanup-old-data", "generate-report", "record-failure")
    variables = {
        "QSTASH_URL": qstash.url,
        "QSTASH_TOKEN": qstash.token,
        "JOB_ENDPOINTS": json.dumps(dict.fromkeys(names, URL)),
    }
    written.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    environment.setenv("QSTASH_URL", "http://127.0.0.1:1")
    assert main(["--template", str(file)]) == 0
    assert set(kept(client)) == {"local.template.CleanupSchedule", "local.template.MonthlyReportSchedule"}


def test_make_passes_on_what_it_is_given() -> None:
    def command(*arguments: str) -> str:
        made = ["make", "--no-print-directory", "-n", "-o", "setup", "schedules", *arguments]
        # As from a fresh shell: without what an outer make, which may run this test, would hand down.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        run = subprocess.run(made, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    assert command().endswith("-m infra.schedules")
    assert command("ENV=staging", "DRY=1").endswith('-m infra.schedules --env "staging" --dry-run')


# --- checking without anybody to talk to -----------------------------------------------------------------------


def test_the_templates_schedules_are_checked_without_a_deployment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("JOB_ENDPOINTS", "QSTASH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--check"]) == 0
    assert "3 schedules" in capsys.readouterr().out
    assert "JOB_ENDPOINTS" not in os.environ


def test_a_bad_schedule_is_refused_before_a_deployment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "template.yaml").read_text("utf-8")
    path = tmp_path / "template.yaml"
    path.write_text(text.replace("Cron: 0 3 * * *", "Cron: 0 33 * * *").replace('"pdf"}', '"docx"}'), "utf-8")
    assert main(["--check", "--template", str(path)]) == 1
    said = capsys.readouterr().err
    assert "CleanupSchedule: Cron" in said
    assert "MonthlyReportSchedule: Payload.format" in said


def test_a_time_zone_of_one_environment_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "samconfig.toml"
    text = '[dev.deploy.parameters]\nstack_name = "s"\nparameter_overrides = ["ScheduleTimeZone={}"]\n'
    path.write_text(text.format("Europe/Paris"))
    assert check(path=path) == 3
    path.write_text(text.format("Mars/Olympus"))
    with pytest.raises(InvalidSchedules, match="ReminderCheckSchedule: TimeZone"):
        check(path=path)
