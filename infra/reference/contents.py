"""What of `shared` is for those who use it: the reference's table of contents, section by section.

A name may be given without some of its members, which are the worker's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import shared.emails

_EMAIL_DATA = sorted({name for name in shared.emails.__all__ if name.endswith("Data")} | {"LeadMatch"})


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: names of one module.

    `without` are members that are not for users; `imported_from` is where they find the names, if that is elsewhere.
    """

    title: str
    module: str
    names: tuple[str, ...]
    about: str = ""
    without: tuple[str, ...] = ()
    imported_from: str = ""


SECTIONS = (
    Section(
        "Enqueueing",
        "shared.dispatcher",
        (
            "enqueue",
            "enqueue_many",
            "JobRequest",
            "Enqueued",
            "enqueue_batch",
            "Batch",
            "transaction",
        ),
        "The guide is [usage](usage.md).",
    ),
    Section("Acting on jobs", "shared.dispatcher", ("cancel", "retry", "replay")),
    Section(
        "Schedules",
        "shared.schedules",
        ("schedule", "unschedule", "pause", "resume"),
        "The guide is [schedules](schedules.md).",
    ),
    Section("Payloads", "shared.envelope", ("Payload",)),
    Section(
        "Fields that nobody is shown",
        "shared.redaction",
        ("Sensitive",),
        "The guide is [sensitive payloads](sensitive-payloads.md).",
    ),
    Section(
        "Handlers",
        "shared.worker",
        ("job_worker", "Worker"),
        "What a handler may rely on is in [the life of a job](job-lifecycle.md#what-a-handler-may-rely-on).",
        without=("deliver",),
    ),
    Section("The job in a handler", "shared.job", ("Job",), without=("open_transaction", "end", "cut")),
    Section("Outcomes", "shared.outcomes", ("Complete", "Retry", "Cancel", "Fail")),
    Section(
        "Job types",
        "shared.registry",
        ("JobConfig", "FlowControl", "JobType", "get_job_config"),
        "[`registry.py`](../shared/registry.py) is the list of them.",
        without=("key", "module", "class_name"),
    ),
    Section(
        "Reading jobs",
        "shared.executions.reading",
        (
            "find",
            "latest",
            "latest_by_type",
            "latest_failed",
            "latest_by_user",
            "latest_by_organization",
            "statistics",
            "measure_queue",
        ),
        "Each takes a connection, such as `database.run` gives.",
        imported_from="shared.executions",
    ),
    Section(
        "What reading returns",
        "shared.rows",
        ("Execution", "BatchMember", "TypeStatistics", "QueueGauges"),
    ),
    Section("Postgres", "shared.database", ("run", "connect")),
    Section(
        "Files",
        "shared.storage",
        ("upload", "Upload", "link", "read", "delete"),
        "For jobs that make files: S3, in the bucket that `FILES_BUCKET` names.",
        without=("complete", "abort", "finish"),
    ),
    Section("Secrets", "shared.secrets", ("secret", "find")),
    Section(
        "Sending mails now",
        "shared.emails.sending",
        ("send", "SentEmail", "EmailRefused", "EmailDeferred"),
        "The guide is [email jobs](email-jobs.md).",
        imported_from="shared.emails",
    ),
    Section(
        "Rendering mails",
        "shared.emails.rendering",
        ("render", "RenderedEmail"),
        imported_from="shared.emails",
    ),
    Section(
        "What each mail takes",
        "shared.emails.data",
        ("EmailData", *_EMAIL_DATA),
        "`enqueue_welcome(to, data, …)` sends `WelcomeData` as a job, `send_welcome` now; each class has such a pair.",
    ),
    Section(
        "Webhook events",
        "shared.webhook_events",
        ("Processed", "Ignored", "InvalidEvent"),
        "What a handler of an event returns or raises. The guide is [webhook jobs](webhook-jobs.md).",
    ),
    Section(
        "Errors",
        "shared.errors",
        (
            "PosthasteError",
            "InvalidJob",
            "IdempotencyConflict",
            "UnknownJobType",
            "MissingSettings",
            "SecretUnavailable",
            "DatabaseUnavailable",
            "StorageFailed",
            "PublishRejected",
            "PublishFailed",
            "EndpointUnknown",
            "JobNotFound",
            "JobHasEnded",
            "JobNotEnded",
            "NothingToReplay",
            "ScheduleNotFound",
            "JobTimeout",
        ),
        "What to do about each is in [usage](usage.md#errors).",
    ),
)
