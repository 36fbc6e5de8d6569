"""The schedules and migrations that a deploy brings: declared right, allowed what they need, and built whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.schedules.declaration import RESOURCE_TYPE, ScheduleSettings
from infra.schedules.template import declared_schedules
from tests.artifact.conftest import make
from tests.artifact.template import ROOT, TEMPLATE

CUSTOM = {name: each for name, each in TEMPLATE.resources.items() if each["Type"].startswith("Custom::")}


def test_each_schedule_of_the_template_is_one_that_qstash_can_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "JOB_ENDPOINTS", json.dumps(dict.fromkeys(TEMPLATE.endpoints, "https://x.example.com/"))
    )
    monkeypatch.setenv("QSTASH_TOKEN", "token")
    found = declared_schedules(TEMPLATE, {}, "posthaste", ScheduleSettings.load())
    times = {each.envelope.type: each.cron for each in found}
    assert times == {
        "cleanup-old-data": "CRON_TZ=UTC 0 3 * * *",
        "generate-report": "CRON_TZ=UTC 0 12 1 * *",
        "send-reminder": "CRON_TZ=UTC 0 * * * *",
    }


@pytest.mark.parametrize("name", CUSTOM)
def test_a_new_version_of_the_function_runs_each_again(name: str) -> None:
    properties = CUSTOM[name]["Properties"]
    assert properties["ServiceToken"] == {"Ref": "ProvisionFunction.Alias"}
    assert properties["Version"] == {"Ref": "ProvisionFunction.Version"}
    assert properties["ServiceTimeout"] > TEMPLATE.functions["ProvisionFunction"].properties["Timeout"]


def test_schedules_wait_for_the_urls_they_call() -> None:
    schedules = [each for each in CUSTOM.values() if each["Type"] == RESOURCE_TYPE]
    assert schedules
    assert all(each["DependsOn"] == "JobEndpoints" for each in schedules)


def test_no_code_that_uses_the_tables_is_deployed_before_the_migrations() -> None:
    assert CUSTOM["Migrations"]["Type"] == "Custom::Migrations"
    for name in TEMPLATE.functions.keys() - {"ProvisionFunction"}:
        assert TEMPLATE.resources[name]["DependsOn"] == "Migrations", name


def test_the_built_function_holds_the_migrations(tmp_path: Path) -> None:
    result = make("build-ProvisionFunction", f"ARTIFACTS_DIR={tmp_path}", "PY313=")
    assert result.returncode == 0, result.stderr
    for folder in ("infra/migrations", "infra/schedules", "functions/provision"):
        wanted = {path.name for path in (ROOT / folder).iterdir() if path.suffix in {".py", ".sql"}}
        assert {path.name for path in (tmp_path / folder).iterdir()} == wanted
    assert {path.name for path in (tmp_path / "infra").iterdir()} == {
        "__init__.py",
        "migrations",
        "schedules",
    }
