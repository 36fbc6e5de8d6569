"""Looks at what came of each shot: the answer, and what is new in the tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shared.database import Connection
from tests.fuzz.shots import Shot

_MAY_BE = {200, 400, 401, 404, 405, 413, 415, 431}
_COUNT = "SELECT (SELECT count(*) FROM app.webhook_events) AS events, (SELECT count(*) FROM job_executions) AS jobs"
_LATEST = "SELECT payload FROM app.webhook_events ORDER BY id DESC LIMIT 1"
# What holds of all: an event that waits has its job, and a job its event.
_ORPHANS = """
SELECT event_id AS id FROM app.webhook_events AS event WHERE status NOT IN ('queued', 'ignored')
    OR (status = 'queued') <> EXISTS (SELECT FROM job_executions AS job WHERE job.job_id = event.job_id)
UNION ALL
SELECT job_id::text FROM job_executions AS job
WHERE (SELECT count(*) FROM app.webhook_events AS event WHERE event.job_id = job.job_id) <> 1
"""


@dataclass
class Judge:
    """Counts answers, and keeps what is wrong with any of them in words."""

    connection: Connection
    violations: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._before = self._count()

    @property
    def written(self) -> tuple[int, int]:
        """How many events and jobs there are."""
        return self._before

    def judge(self, shot: Shot, status: int, body: dict[str, Any]) -> None:
        """Take one answer down."""
        self.answers[status] += 1
        before, self._before = self._before, self._count()
        new = (self._before[0] - before[0], self._before[1] - before[1])
        for what in self._wrong(shot, status, body, new):
            self.violations.append(
                f"{shot.story}: {what} (answered {status} {body}; new rows and jobs {new})"
            )

    def finish(self) -> None:
        """What holds of all of them."""
        for row in self.connection.execute(_ORPHANS).fetchall():
            self.violations.append(f"an event without its job, or a job without its event: {row['id']}")

    def _wrong(self, shot: Shot, status: int, body: dict[str, Any], new: tuple[int, int]) -> list[str]:
        wrong = []
        if status not in _MAY_BE:
            wrong.append("such a status")
        if (shot.expected == "taken" and status != 200) or (shot.expected == "refused" and status == 200):
            wrong.append(f"was to be {shot.expected}")
        if new != _new_rows(status, body):
            wrong.append(f"should have written {_new_rows(status, body)}")
        if new[0] and shot.payload is not None and self._latest() != shot.payload:
            wrong.append("the row holds something else")
        return wrong

    def _count(self) -> tuple[int, int]:
        row = self.connection.execute(_COUNT).fetchone()
        assert row is not None
        return row["events"], row["jobs"]

    def _latest(self) -> Any:
        row = self.connection.execute(_LATEST).fetchone()
        return None if row is None else row["payload"]


def _new_rows(status: int, body: dict[str, Any]) -> tuple[int, int]:
    """Events and jobs that such an answer says are new."""
    if status != 200 or {"duplicate", "pong"} & body.keys():
        return (0, 0)
    return (1, 0) if "ignored" in body else (1, 1)
