"""Checks the template's schedules without anybody to talk to: before a deployment, which would fail for a bad one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

from infra.schedules.declaration import ScheduleSettings
from infra.schedules.stack import entered
from infra.schedules.template import declared_schedules
from infra.template import ROOT, Template


def check(template: Template | None = None, path: Path = ROOT / "samconfig.toml") -> int:
    """Check every schedule with the parameters of each environment of samconfig.toml; how many schedules there are.

    Raises InvalidSchedules, which names each resource and property at fault.
    """
    checked = template or Template()
    endpoints = json.dumps(dict.fromkeys(checked.endpoints, "https://known-once-deployed.invalid/"))
    count = 0
    with entered({"JOB_ENDPOINTS": endpoints, "QSTASH_TOKEN": "asked-for-once-deployed"}):
        settings = ScheduleSettings.load()
        for parameters in _parameters(path):
            count = len(declared_schedules(checked, parameters, "any", settings))
    return count


def _parameters(path: Path) -> Iterator[dict[str, str]]:
    for section in tomllib.loads(path.read_text("utf-8")).values():
        deploy = section.get("deploy", {}).get("parameters", {}) if isinstance(section, dict) else {}
        overrides = (each.partition("=") for each in deploy.get("parameter_overrides", []))
        yield {name: value for name, _, value in overrides}
