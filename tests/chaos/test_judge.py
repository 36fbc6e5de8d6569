"""The judge can find somebody guilty: what a finished run left is tampered with, and each time it is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from shared.envelope import scheduled_job_id
from tests.chaos.evidence import Job, gather
from tests.chaos.invariants import Verdict, judge
from tests.chaos.promises import Promises
from tests.chaos.run import run_and_keep
from tests.chaos.stage import Stage
from tests.chaos.wishes import Way

_NAME = "judged-44"  # a seed that has every way of asking


@dataclass
class Finished:
    """A run that is over, and what was told of its failures."""

    stage: Stage
    promises: Promises
    told: Counter[tuple[str, int]]
    used: set[str]

    def verdict(self) -> Verdict:
        """What the judge says now."""
        return judge(gather(self.stage, _NAME), self.promises, self.told)

    def job(
        self, way: Way, status: str = "completed", *, fits: Callable[[Job], bool] = lambda _job: True
    ) -> Job:
        """A job asked for in this way that nobody has tampered with."""
        for job in gather(self.stage, _NAME).jobs.values():
            wish = self.promises.wishes.get(job.row["tag"])
            asked = wish is not None and wish.way == way and job.row["status"] == status
            if asked and job.row["job_id"] not in self.used and fits(job):
                self.used.add(job.row["job_id"])
                return job
        raise AssertionError(f"no {status} job asked for by {way}")

    def run_of(self, schedule: str) -> Job:
        """A run of a schedule that nobody has tampered with."""
        for job in gather(self.stage, _NAME).jobs.values():
            if job.row["tag"].endswith(schedule) and job.row["job_id"] not in self.used:
                self.used.add(job.row["job_id"])
                return job
        raise AssertionError(f"no run of {schedule}")


@pytest.fixture(scope="module")
def finished(stage: Stage) -> Finished:
    """A run without a fault in it."""
    report, promises = run_and_keep(stage, "none", _NAME, jobs=90, seconds=1.5)
    assert report.verdict.violations == []
    return Finished(stage, promises, Counter(stage.callbacks.told), set())


def _lost_job(run: Finished) -> tuple[str, str]:
    job = run.job("keyed")
    run.stage.execute("DELETE FROM job_executions WHERE job_id = %s", [job.row["job_id"]])
    return "lost", f"{job.name}: accepted, and there is no such job"


def _second_effect(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    run.stage.execute("INSERT INTO chaos_effects VALUES (%s, 1, 1)", [job.row["job_id"]])
    return "doubled", f"{job.name}: completed with 2 effects"


def _effect_of_a_failed_job(run: Finished) -> tuple[str, str]:
    job = run.job("plain", "failed")
    run.stage.execute("INSERT INTO chaos_effects VALUES (%s, 1, 1)", [job.row["job_id"]])
    return "doubled", f"{job.name}: failed with 1 effects"


def _no_effect(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    run.stage.execute("DELETE FROM chaos_effects WHERE job_id = %s", [job.row["job_id"]])
    return "lost", f"{job.name}: completed without its effect"


def _unfinished(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    query = "UPDATE job_executions SET status = 'retrying', completed_at = NULL WHERE job_id = %s"
    run.stage.execute(query, [job.row["job_id"]])
    return "stuck", f"{job.name}: retrying"


def _second_completion(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    query = "INSERT INTO chaos_history (job_id, status, run, attempt, errors) VALUES (%s, %s, 1, 1, 0)"
    for status in ("processing", "completed"):
        run.stage.execute(query, [job.row["job_id"], status])
    return "broken", f"{job.name}: 1 runs ended 2 times"


def _another_ending(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    run.stage.execute("DELETE FROM chaos_effects WHERE job_id = %s", [job.row["job_id"]])
    run.stage.execute("UPDATE job_executions SET status = 'cancelled' WHERE job_id = %s", [job.row["job_id"]])
    return "broken", f"{job.name}: cancelled and not"


def _attempt_ran_twice(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    query = "INSERT INTO chaos_tries SELECT gen_random_uuid(), job_id, attempt, tag FROM chaos_tries WHERE job_id = %s"
    run.stage.execute(query, [job.row["job_id"]])
    return "doubled", f"{job.name}: one attempt ran twice"


def _one_attempt_too_many(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    query = (
        "INSERT INTO chaos_tries SELECT gen_random_uuid(), job_id, 99, tag FROM chaos_tries WHERE job_id = %s"
    )
    run.stage.execute(query, [job.row["job_id"]])
    return "broken", f"{job.name}: attempt 99 ran"


def _stranger(run: Finished) -> tuple[str, str]:
    query = "INSERT INTO chaos_tries VALUES (gen_random_uuid(), gen_random_uuid(), 1, %s)"
    run.stage.execute(query, [f"{_NAME}/nobody"])
    return "broken", "ran and was never accepted"


def _unwanted(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    query = (
        """UPDATE job_executions SET payload = payload || '{"tag": "judged-44/unwanted"}' WHERE job_id = %s"""
    )
    run.stage.execute(query, [job.row["job_id"]])
    return "broken", f"{_NAME}/unwanted {job.row['job_id']}: nobody asked for it"


def _two_jobs(run: Finished) -> tuple[str, str]:
    job, other = run.job("plain"), run.job("plain")
    query = "UPDATE job_executions SET payload = jsonb_set(payload, '{tag}', to_jsonb(%s::text)) WHERE job_id = %s"
    run.stage.execute(query, [job.row["tag"], other.row["job_id"]])
    return "doubled", f"{job.row['tag']}: 2 jobs"


def _lease_lost(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    run.stage.execute("INSERT INTO chaos_overtakings VALUES (%s, 1, '5 s')", [job.row["job_id"]])
    return "doubled", f"{job.row['job_id']}: attempt 1 lost a lease"


def _no_order(run: Finished) -> tuple[str, str]:
    job = run.job("transaction")
    run.stage.execute("DELETE FROM chaos_orders WHERE tag = %s", [job.row["tag"]])
    return "broken", f"{job.row['tag']}: 0 orders"


def _rolled_back_order(run: Finished) -> tuple[str, str]:
    tag = next(tag for tag, wish in run.promises.wishes.items() if wish.way == "rolled back")
    run.stage.execute("INSERT INTO chaos_orders VALUES (%s)", [tag])
    return "broken", f"{tag}: rolled back, and there"


def _one_of_many(run: Finished) -> tuple[str, str]:
    job = run.job("many")
    run.stage.execute("DELETE FROM job_executions WHERE job_id = %s", [job.row["job_id"]])
    return "lost", f"{job.row['tag'].rpartition('/')[0]}/0: "


def _no_next_job(run: Finished) -> tuple[str, str]:
    job = run.job("chain", fits=lambda job: job.row["tag"].endswith("/then"))
    run.stage.execute("DELETE FROM job_executions WHERE job_id = %s", [job.row["job_id"]])
    return "lost", f"{job.row['tag'].removesuffix('/then')}: completed without the next job"


def _completion_misinformed(run: Finished) -> tuple[str, str]:
    job = run.job("batch", fits=lambda job: job.row["tag"].endswith("/then"))
    run.stage.execute("UPDATE chaos_summaries SET status = 'pending' WHERE job_id = %s", [job.row["job_id"]])
    return "broken", f"{job.name}: was told"


def _no_completion(run: Finished) -> tuple[str, str]:
    job = run.job("batch", fits=lambda job: job.row["tag"].endswith("/then"))
    run.stage.execute("DELETE FROM job_executions WHERE job_id = %s", [job.row["job_id"]])
    return "lost", f"{job.row['tag'].removesuffix('/then')}/0: a batch has"


def _cancelled_and_completed(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    run.promises.tell("cancelled", job.row["tag"])
    return "broken", f"{job.name}: completed and not {{'cancelled'}}"


def _replay_without_a_run(run: Finished) -> tuple[str, str]:
    job = run.job("plain", "failed")
    run.promises.tell("replayed", job.row["tag"])
    run.promises.tell("replaying", job.row["tag"])
    return "broken", f"{job.name}: 1 runs, and not 2 to 2"


def _run_without_a_replay(run: Finished) -> tuple[str, str]:
    job = run.job("plain", "failed")
    run.stage.execute("UPDATE job_executions SET run = 2 WHERE job_id = %s", [job.row["job_id"]])
    return "broken", f"{job.name}: 2 runs, and not 1 to 1"


def _failure_not_told(run: Finished) -> tuple[str, str]:
    job = run.job("plain", "failed", fits=lambda job: job.row["tells"])
    del run.told[job.row["job_id"], 1]
    return "lost", f"{job.name}: nobody was told that run 1 failed"


def _success_told_as_failure(run: Finished) -> tuple[str, str]:
    job = run.job("plain")
    run.told[job.row["job_id"], 1] += 1
    return "broken", f"{job.name}: run 1 was said to have failed"


def _run_of_schedule_lost(run: Finished) -> tuple[str, str]:
    job = run.run_of("allow")
    run.stage.execute("DELETE FROM job_executions WHERE job_id = %s", [job.row["job_id"]])
    return "lost", f"{job.row['tag']}: fired, and run {job.row['job_id']} is not there"


def _run_of_schedule_from_nowhere(run: Finished) -> tuple[str, str]:
    job = run.run_of("allow")
    messages = run.promises.fired[job.row["tag"]]
    messages[:] = [each for each in messages if str(scheduled_job_id(each)) != job.row["job_id"]]
    return "broken", f"{job.row['tag']}: {job.row['job_id']} is there and was never fired"


def _runs_of_schedule_at_once(run: Finished) -> tuple[str, str]:
    job = run.run_of("skip")
    query = "UPDATE chaos_history SET at = at - interval '1 hour' WHERE job_id = %s AND status = 'pending'"
    run.stage.execute(query, [job.row["job_id"]])
    query = "UPDATE chaos_history SET at = at + interval '1 hour' WHERE job_id = %s AND status = 'completed'"
    run.stage.execute(query, [job.row["job_id"]])
    return "doubled", "was not over"


_TAMPERINGS = [
    _failure_not_told, _lost_job, _second_effect, _effect_of_a_failed_job, _no_effect, _unfinished, _second_completion, _another_ending,
    _attempt_ran_twice, _one_attempt_too_many, _stranger, _unwanted, _two_jobs, _lease_lost, _no_order,
    _rolled_back_order, _one_of_many, _no_next_job, _completion_misinformed, _no_completion, _cancelled_and_completed,
    _replay_without_a_run, _run_without_a_replay, _success_told_as_failure, _run_of_schedule_lost,
    _run_of_schedule_from_nowhere, _runs_of_schedule_at_once,
]  # fmt: skip


@pytest.mark.parametrize("tamper", _TAMPERINGS, ids=lambda tamper: tamper.__name__.strip("_"))
def test_what_was_tampered_with_is_reported(
    finished: Finished, tamper: Callable[[Finished], tuple[str, str]]
) -> None:
    before = finished.verdict().violations
    kind, text = tamper(finished)
    after: list[str] = getattr(finished.verdict(), kind)
    assert [line for line in after if text in line and line not in before]
