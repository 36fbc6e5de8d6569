"""How an organization's background jobs ran: how many, how long, and how often they failed."""

from __future__ import annotations

from collections.abc import Iterator

from functions.generate_report.model import Chart, ChartKind, Unit
from functions.generate_report.reports import Content, Sources, figure, series, table
from functions.generate_report.snapshot import Row

_FIGURES = {
    "jobs": ("Jobs", Unit.COUNT),
    "failure_rate": ("Failure rate", Unit.PERCENT),
    "dead_letters": ("Dead letters", Unit.COUNT),
    "retries": ("Retries", Unit.COUNT),
    "p50": ("Median duration", Unit.SECONDS),
    "p95": ("95th percentile of duration", Unit.SECONDS),
}
_TYPES = (
    ("job_type", "Job", Unit.TEXT),
    ("jobs", "Jobs", Unit.COUNT),
    ("completed", "Completed", Unit.COUNT),
    ("dead_letters", "Dead letters", Unit.COUNT),
    ("cancelled", "Cancelled", Unit.COUNT),
    ("unfinished", "Not over", Unit.COUNT),
    ("failure_rate", "Failure rate", Unit.PERCENT),
    ("retries", "Retries", Unit.COUNT),
    ("p50", "p50", Unit.SECONDS),
    ("p95", "p95", Unit.SECONDS),
)
_DURATIONS = (
    "Durations are the last attempt's, of jobs that completed. Jobs past their retention are not counted."
)


def read(sources: Sources) -> Content:
    """The report."""
    rows, steps = sources.now.rows("jobs_by_type"), sources.now.rows("jobs_steps")
    types = [row for row in rows if row["job_type"] is not None]
    now, before = _in_all(rows), _in_all(sources.before.rows("jobs_by_type"))
    return Content(
        title="Job performance",
        figures=[figure(name, label, now, before, unit) for name, (label, unit) in _FIGURES.items()],
        charts=[*_charts(sources, types, steps)],
        tables=[table("types", "By type", _TYPES, types, note=_DURATIONS)],
    )


def _in_all(rows: list[Row]) -> Row:
    (found,) = (row for row in rows if row["job_type"] is None)
    return found


def _charts(sources: Sources, types: list[Row], steps: list[Row]) -> Iterator[Chart]:
    yield Chart(
        name="jobs",
        title=f"Jobs by {sources.period.step} of acceptance",
        kind=ChartKind.STACKED,
        places=sources.places(steps),
        place_label=sources.step_label,
        value_label="Jobs",
        unit=Unit.COUNT,
        series=series(
            steps,
            completed="Completed",
            dead_letters="Dead letters",
            cancelled="Cancelled",
            unfinished="Not over",
        ),
    )
    ran = [row for row in types if row["p50"] is not None]
    yield Chart(
        name="durations",
        title="Duration by type",
        kind=ChartKind.BARS,
        places=[row["job_type"] for row in ran],
        in_time=False,
        place_label="Job",
        value_label="Seconds",
        unit=Unit.SECONDS,
        series=series(ran, p50="p50", p95="p95"),
    )
