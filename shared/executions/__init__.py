"""The job_executions table: the truth about every job, and the only package with its SQL.

Each function is one statement in `shared/sql/`, on a connection the caller gives. Writes that follow a claim are
guarded by job id and attempt, and report with None that the attempt was stale and nothing changed.
"""

from shared.executions.accepting import (
    batch_members,
    find_accepted,
    find_completion,
    insert,
    insert_batch,
    reject_publication,
    stamp_publications,
    take_unpublished,
    take_written,
)
from shared.executions.acting import cancel, replay
from shared.executions.healing import (
    advance_mark,
    find_mark,
    requeue_expired,
    requeue_moved,
    settle_failure,
    stamp_failure_told,
    take_overdue,
    take_untold_failures,
)
from shared.executions.reading import (
    count_by_payload_key,
    find,
    latest,
    latest_by_organization,
    latest_by_type,
    latest_by_user,
    latest_failed,
    measure_queue,
    statistics,
)
from shared.executions.running import (
    cancel_attempt,
    claim,
    complete,
    find_own_claim,
    find_standing,
    give_back_attempt,
    record_failed_attempt,
    record_progress,
)
from shared.executions.scheduled import (
    find_schedule_payload,
    insert_schedule_payload,
    insert_scheduled,
    remove_schedule_payloads,
)
from shared.executions.statements import ATTEMPT_LOST, AnyConnection

__all__ = [
    "ATTEMPT_LOST",
    "AnyConnection",
    "advance_mark",
    "batch_members",
    "cancel",
    "cancel_attempt",
    "claim",
    "complete",
    "count_by_payload_key",
    "find",
    "find_accepted",
    "find_completion",
    "find_mark",
    "find_own_claim",
    "find_schedule_payload",
    "find_standing",
    "give_back_attempt",
    "insert",
    "insert_batch",
    "insert_schedule_payload",
    "insert_scheduled",
    "latest",
    "latest_by_organization",
    "latest_by_type",
    "latest_by_user",
    "latest_failed",
    "measure_queue",
    "record_failed_attempt",
    "record_progress",
    "reject_publication",
    "remove_schedule_payloads",
    "replay",
    "requeue_expired",
    "requeue_moved",
    "settle_failure",
    "stamp_failure_told",
    "stamp_publications",
    "statistics",
    "take_overdue",
    "take_unpublished",
    "take_untold_failures",
    "take_written",
]
