"""What has changed among jobs since the last look, by a few requests at a time, however many jobs there are."""

from __future__ import annotations

from collections import deque
from typing import Any

from functions.jobs_api.shapes import Job, JobPage, JobSummary
from infra.cli.api import Api, part
from infra.cli.errors import NotDone

_PAGE = 200  # jobs, the most that the API gives at once
_MOST_PAGES = 10  # of jobs that are new since the last look
_LOOKED_UP = 5  # a look, of those that wait and are no longer among the newest
_MOST_LOOKED_UP = 2_000  # in all: of more, each would be looked at too seldom
State = tuple[str, int, int]


class Follower:
    """Looks at the newest jobs and at those that run; those that wait longer are looked up in turn.

    A job that came and went between two looks is seen as it ended.
    """

    def __init__(self, api: Api, filters: dict[str, Any]) -> None:
        self._api, self._filters = api, filters
        self._seen: dict[str, State] = {}
        self._open: deque[str] = deque()

    def begin(self, last: int) -> list[JobSummary]:
        """The latest `last` jobs, oldest first."""
        jobs = self._jobs_that_run() | self._newest()
        self._remember(jobs)
        newest = sorted(jobs.values(), key=lambda job: job.created_at)
        return newest[len(newest) - min(last, len(newest)) :]

    def look(self) -> list[JobSummary]:
        """The jobs that have changed, in the order of their changes."""
        jobs = self._jobs_that_run() | self._newest()
        jobs |= self._those_that_wait(jobs)
        changed = [job for job_id, job in jobs.items() if self._seen.get(job_id) != _state(job)]
        self._remember(jobs)
        return sorted(changed, key=lambda job: job.updated_at)

    def _newest(self) -> dict[str, JobSummary]:
        found: dict[str, JobSummary] = {}
        cursor = None
        for _page in range(_MOST_PAGES if self._seen else 1):
            page = self._api.get("/v1/jobs", JobPage, **self._filters, limit=_PAGE, cursor=cursor)
            found |= _by_id(page.jobs)
            cursor = page.next
            if cursor is None or not page.jobs or str(page.jobs[-1].job_id) in self._seen:
                break
        return found

    def _jobs_that_run(self) -> dict[str, JobSummary]:
        query = {**self._filters, "status": "processing"}
        return _by_id(self._api.get("/v1/jobs", JobPage, **query, limit=_PAGE).jobs)

    def _those_that_wait(self, looked_at: dict[str, JobSummary]) -> dict[str, JobSummary]:
        waiting = [job_id for job_id in self._open if job_id not in looked_at][:_LOOKED_UP]
        self._open.rotate(-len(waiting))
        return {job_id: job for job_id in waiting if (job := self._find(job_id)) is not None}

    def _find(self, job_id: str) -> JobSummary | None:
        try:
            return self._api.get(f"/v1/jobs/{part(job_id)}", Job)
        except NotDone as error:
            if error.code != NotDone.code:
                raise
            self._open.remove(job_id)  # deleted meanwhile
            return None

    def _remember(self, jobs: dict[str, JobSummary]) -> None:
        """Forget those that have ended and are no longer met, or a day's following would hold a day's jobs."""
        waiting = set(self._open) - jobs.keys()
        self._seen = {job_id: self._seen[job_id] for job_id in waiting} | {
            job_id: _state(job) for job_id, job in jobs.items()
        }
        still_open = {job_id for job_id, job in jobs.items() if job.completed_at is None}
        kept = [job_id for job_id in self._open if job_id in waiting or job_id in still_open]
        self._open = deque([*kept, *(still_open - set(kept))], _MOST_LOOKED_UP)


def _by_id(jobs: list[JobSummary]) -> dict[str, JobSummary]:
    return {str(job.job_id): job for job in jobs}


def _state(job: JobSummary) -> State:
    return job.status, job.run, job.attempt
