"""Many jobs at once: by filter, in the API's bounded batches, or one after the other by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.jobs_api.shapes import BulkResult
from infra.cli.api import Api
from infra.cli.errors import NotDone, Unreachable
from infra.cli.progress import progress
from infra.cli.session import Session


@dataclass(slots=True)
class Outcome:
    """What was done so far. `next` is where to go on: None at the end."""

    job_ids: list[str] = field(default_factory=list)
    skipped: int = 0
    next: str | None = None
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "jobIds": self.job_ids,
            "skipped": self.skipped,
            "failures": [{"jobId": job_id, "error": why} for job_id, why in self.failures.items()],
            "next": self.next,
        }


@dataclass(frozen=True, slots=True)
class Sweep:
    """An action on all that fit: `path` of the API, the request's body, how many at most and at once."""

    path: str
    body: dict[str, Any]
    limit: int | None
    at_once: int
    cursor: str | None = None

    def run(self, session: Session, expected: int, what: str) -> Outcome:
        """Act, batch after batch. Where it breaks off, it says how far it came and how to go on, and raises."""
        outcome = Outcome(next=self.cursor)
        try:
            with progress(session.screen, what, expected) as advance:
                self._act(session.api, outcome, advance)
        except (NotDone, KeyboardInterrupt):
            self._say_how_far(session, outcome)
            raise
        return outcome

    def _act(self, api: Api, outcome: Outcome, advance: Callable[[int], None]) -> None:
        while True:
            left = (
                self.at_once if self.limit is None else min(self.at_once, self.limit - len(outcome.job_ids))
            )
            where = {} if outcome.next is None else {"cursor": outcome.next}
            result = api.post(self.path, BulkResult, {**self.body, "limit": left, **where})
            if result.next is not None and result.next == outcome.next:
                raise Unreachable("the API answers the same place again and again")
            outcome.job_ids += map(str, result.job_ids)
            outcome.skipped += result.skipped
            outcome.next = result.next
            advance(len(result.job_ids) + result.skipped)
            if result.next is None or (self.limit is not None and len(outcome.job_ids) >= self.limit):
                return

    def _say_how_far(self, session: Session, outcome: Outcome) -> None:
        if session.as_json:
            session.screen.emit(outcome.as_json)
        done = f"broke off after {jobs_of(len(outcome.job_ids))}; of the next {self.at_once} it is not known"
        session.screen.say(done + (f". Go on with --cursor {outcome.next}" if outcome.next else ""), "yellow")


def jobs_of(number: int) -> str:
    """1 job, 2 jobs."""
    return f"{number} job{'' if number == 1 else 's'}"


def each_of(session: Session, job_ids: Sequence[str], act: Callable[[str], object], what: str) -> Outcome:
    """Act on one job after the other. One that refuses is noted, and the others go on."""
    outcome = Outcome()
    try:
        with progress(session.screen, what, len(job_ids)) as advance:
            for job_id in job_ids:
                _try(outcome, job_id, act)
                advance(1)
    except (NotDone, KeyboardInterrupt):
        if session.as_json:
            session.screen.emit(outcome.as_json)
        left = job_ids[len(outcome.job_ids) + len(outcome.failures) :]
        at = f", at {left[0]}" if left else ""
        session.screen.say(f"broke off after {jobs_of(len(outcome.job_ids))}{at}", "yellow")
        raise
    return outcome


def _try(outcome: Outcome, job_id: str, act: Callable[[str], object]) -> None:
    try:
        act(job_id)
    except NotDone as error:
        if error.code > 2:  # it will refuse all others too
            raise
        outcome.failures[job_id] = str(error)
    else:
        outcome.job_ids.append(job_id)
