"""How the queue does, at a glance."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.reading.figures import dead_letter_groups, health, statistics
from functions.jobs_api.rendering import html
from functions.jobs_api.shapes import Statistics, TypeStatistics

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
WINDOWS = {3_600: "1 h", 6 * 3_600: "6 h", 86_400: "24 h", 7 * 86_400: "7 d"}
_TOP = 6


@router.get("/", include_in_schema=False)
def get_overview() -> Response[Any]:
    """The overview of a window."""
    caller = current()
    given = (router.current_event.query_string_parameters or {}).get("window", "")
    window = next((seconds for seconds in WINDOWS if given == str(seconds)), 3_600)
    measured = statistics(caller, window)
    groups = dead_letter_groups(caller)
    return html(
        "overview.html",
        window=window,
        windows=WINDOWS,
        health=health(caller.organization_id),
        statistics=measured,
        chart=_chart(measured),
        totals=_totals(measured),
        types=_by_type(measured.types),
        groups=groups.groups[:_TOP],
    )


def _chart(measured: Statistics) -> str:
    """What the script draws: moments, and a series for each name."""
    series = {
        "accepted": [step.accepted for step in measured.steps],
        "completed": [step.completed for step in measured.steps],
        "failed": [step.failed for step in measured.steps],
    }
    return json.dumps({"at": [int(step.at.timestamp()) for step in measured.steps], "series": series})


def _totals(measured: Statistics) -> dict[str, int]:
    return {
        "accepted": sum(step.accepted for step in measured.steps),
        "completed": sum(step.completed for step in measured.steps),
        "failed": sum(step.failed for step in measured.steps),
    }


def _by_type(rows: list[TypeStatistics]) -> list[dict[str, Any]]:
    """A line for each type: its jobs by status, and the durations of the completed."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = found.setdefault(
            row.type, {"type": row.type, "jobs": 0, "counts": {}, "durations": None, "retries": 0}
        )
        line["jobs"] += row.jobs
        line["retries"] += row.retries
        line["counts"][row.status] = row.jobs
        if row.status == "completed":
            line["durations"] = row
    longest = max(
        (line["durations"].p95_duration or 0 for line in found.values() if line["durations"]), default=0
    )
    for line in found.values():
        line["share"] = (
            round(100 * (line["durations"].p95_duration or 0) / longest)
            if line["durations"] and longest
            else 0
        )
    return sorted(found.values(), key=lambda line: -line["jobs"])
