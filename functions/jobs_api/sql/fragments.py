"""What the statements have in common, in place of `{driven}`, `{fits}` and so on.

A list is driven by those of its filters that one index serves, in that index's order; all others are asked of at most
`scan` rows that it finds. So a page costs the same with ten million rows, however few of them fit.
"""

from __future__ import annotations

import json

from shared.columns import OMITTED, REDACTED

# Lambda answers six megabytes at most, and a byte may take five within a page.
SHOWN_BYTES = 256 * 1024  # of a payload or a result, as JSON
SHOWN_ERRORS, SHOWN_ERROR_BYTES = 50, 512 * 1024  # of a job's attempts, the latest
SHOWN_CHILDREN = 20  # of the jobs that a job has enqueued, the first
_SENSITIVE, _TOO_LARGE = (f"'{json.dumps(each)}'::jsonb" for each in (REDACTED, OMITTED))

# An error's first words with its numbers and ids (letters from a to f beside digits) blanked: what differs only in them
# is the same error. One plain expression: it is asked of thousands of rows.
_ERROR_GROUP = (
    "md5(job_type || regexp_replace(split_part(left(error, 200), E'\\n', 1),"
    " '[0-9a-fA-F-]*[0-9][0-9a-fA-F-]*', '#', 'g'))"
)
_DRIVEN = """(%(by_key)s::text IS NULL OR idempotency_key = %(by_key)s)
        AND (%(by_batch)s::uuid IS NULL OR batch_id = %(by_batch)s)
        AND (%(by_parent)s::uuid IS NULL OR parent_job_id = %(by_parent)s)
        AND (%(by_schedule)s::text IS NULL OR schedule_id = %(by_schedule)s)
        AND (%(by_user)s::bigint IS NULL OR user_id = %(by_user)s)
        AND (%(by_organization)s::bigint IS NULL OR organization_id = %(by_organization)s)
        AND (%(by_type)s::text IS NULL OR job_type = %(by_type)s)
        AND (%(by_status)s::text IS NULL OR status = %(by_status)s)
        AND (%(created_after)s::timestamptz IS NULL OR created_at >= %(created_after)s)
        AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
        AND (%(cursor_at)s::timestamptz IS NULL OR (created_at, id) < (%(cursor_at)s, %(cursor_id)s))"""
_FITS = f"""((%(user_id)s::bigint IS NULL OR user_id = %(user_id)s)
            AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
            AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
            AND (%(status)s::text IS NULL OR status = %(status)s)
            AND (%(schedule_id)s::text IS NULL OR schedule_id = %(schedule_id)s)
            AND (%(batch_id)s::uuid IS NULL OR batch_id = %(batch_id)s)
            AND (%(parent_job_id)s::uuid IS NULL OR parent_job_id = %(parent_job_id)s)
            AND (%(error)s::text IS NULL OR strpos(lower(error), lower(%(error)s)) > 0)
            AND (%(error_group)s::text IS NULL OR {_ERROR_GROUP} = %(error_group)s)) IS TRUE"""
_SUMMARY = (
    "job_id, job_type, status, left(error, 300) AS error, run, attempt, max_attempts, user_id, organization_id, "
    "idempotency_key, schedule_id, batch_id, not_before, started_at, completed_at, job_executions.created_at, updated_at"
)
# Another job, as a job's page names it.
_REFERENCE = "jsonb_build_object('job_id', job_id, 'type', job_type, 'status', status, 'batch_id', batch_id, 'created_at', created_at)"


def _shown(column: str, key: str) -> str:
    return (
        f"CASE WHEN {key} IS NOT NULL THEN {_SENSITIVE} "
        f"WHEN octet_length({column}::text) > {SHOWN_BYTES} THEN {_TOO_LARGE} ELSE {column} END AS {column}"
    )


_FRAGMENTS = {
    "{driven}": _DRIVEN,
    "{fits}": _FITS,
    "{error_group}": _ERROR_GROUP,
    "{summary}": _SUMMARY,
    "{payload}": _shown("payload", "payload_key"),
    "{result}": _shown("result", "result_key"),
    "{shown_errors}": str(SHOWN_ERRORS),
    "{shown_error_bytes}": str(SHOWN_ERROR_BYTES),
    "{shown_children}": str(SHOWN_CHILDREN),
    "{reference}": _REFERENCE,
    "{shown_bytes}": str(SHOWN_BYTES),
}


def filled_in(text: str) -> str:
    """The statement with its fragments."""
    for placeholder, fragment in _FRAGMENTS.items():
        text = text.replace(placeholder, fragment)
    return text
