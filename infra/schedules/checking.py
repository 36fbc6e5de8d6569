"""Checks the template's schedules without anybody to talk to: before a deployment, which would fail for a bad one."""

from __future__ import annotations

import json
from pathlib import Path

from infra.schedules.declaration import ScheduleSettings
from infra.schedules.stack import configured, entered
from infra.schedules.template import declared_schedules
from infra.template import ROOT, Template


def check(template: Template | None = None, path: Path = ROOT / "samconfig.toml") -> int:
    """Check every schedule as each stack of samconfig.toml would have it; how many there are in the template.

    Raises InvalidSchedules, which names each resource and property at fault.
    """
    checked = template or Template()
    endpoints = json.dumps(dict.fromkeys(checked.endpoints, "https://known-once-deployed.invalid/"))
    count = 0
    with entered({"JOB_ENDPOINTS": endpoints, "QSTASH_TOKEN": "asked-for-once-deployed"}):
        settings = ScheduleSettings.load()
        for stack in configured(path).values():
            count = len(declared_schedules(checked, stack.parameters, stack.name, settings))
    return count
