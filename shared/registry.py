"""The system's table of contents: every job type and how it is delivered.

A job type's name maps mechanically: `send-email` is `JobType.SEND_EMAIL`, its payload `SendEmail` in
`shared/jobs/send_email.py`, its worker `functions/send_email/` and its template resource `SendEmailFunction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, cast

from shared.errors import UnknownJobType

if TYPE_CHECKING:
    from shared.envelope import Payload

    PayloadClass = type[Payload]  # inside JobConfig, `type` is a field


class JobType(StrEnum):
    """Every kind of job there is."""

    SEND_EMAIL = "send-email"
    PROCESS_WEBHOOK = "process-webhook"
    PROCESS_STRIPE_WEBHOOK = "process-stripe-webhook"
    EXPORT_DATA = "export-data"
    GENERATE_REPORT = "generate-report"
    CLEANUP_OLD_DATA = "cleanup-old-data"
    SYNDICATE_LISTING = "syndicate-listing"
    SEND_REMINDER = "send-reminder"
    CRM_MATCH = "crm-match"
    SEND_NOTIFICATION = "send-notification"
    PING = "ping"

    @property
    def module(self) -> str:
        """Its Python module name: `send_email`."""
        return self.value.replace("-", "_")

    @property
    def class_name(self) -> str:
        """Its payload's class name: `SendEmail`."""
        return self.value.title().replace("-", "")


@dataclass(frozen=True, slots=True)
class FlowControl:
    """How fast QStash may deliver one job type: at most `parallelism` at once, `rate` per `period` seconds.

    With `per_organization` each organization has these limits for itself, so that one's thousand exports do not hold up
    the others'.
    """

    parallelism: int | None = None
    rate: int | None = None
    period: int = 1
    per_organization: bool = False

    def key(self, job_type: JobType, organization_id: int | None) -> str:
        """What QStash counts together."""
        shared = not self.per_organization or organization_id is None
        return job_type.value if shared else f"{job_type.value}-{organization_id}"


@dataclass(frozen=True, slots=True)
class JobConfig:
    """How one job type is delivered and run.

    `retries` come after the first attempt; `timeout` is for one attempt, in seconds (at most 870, so that
    Lambda's own limit of 900 leaves room to record the end). What a `sensitive` job is given and what it returns is
    sealed in Postgres, does not travel through QStash and is shown nowhere (docs/sensitive-payloads.md). A job
    `within_organization` touches its own organization only, whatever its payload says: an API key that is bound to that
    organization may enqueue it.
    """

    type: JobType
    retries: int
    timeout: int
    description: str
    flow_control: FlowControl | None = None
    sensitive: bool = False
    within_organization: bool = False

    @property
    def payload(self) -> PayloadClass:
        """The payload's class, imported when first asked for: a worker loads its own and no other."""
        path = f"shared.jobs.{self.type.module}"
        try:
            module = import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
            message = (
                f"job type {self.type.value!r} has no payload yet: define {self.type.class_name} in {path}"
            )
            raise UnknownJobType(message) from None
        payload: PayloadClass = getattr(module, self.type.class_name)
        return payload


# All that runs at once must fit into Postgres's connections and Lambda's concurrency: docs/capacity.md adds it up.
_CONFIGS = (
    JobConfig(
        JobType.SEND_EMAIL,
        retries=3,
        timeout=30,
        description="Sends one templated mail through Resend.",
        flow_control=FlowControl(parallelism=5),
    ),
    JobConfig(
        JobType.PROCESS_WEBHOOK,
        retries=5,
        timeout=60,
        description="Applies an event received from Resend, GitHub or a custom sender.",
        flow_control=FlowControl(parallelism=5),
    ),
    JobConfig(
        JobType.PROCESS_STRIPE_WEBHOOK,
        retries=5,
        timeout=60,
        description="Brings subscriptions and invoices up to date with Stripe.",
        flow_control=FlowControl(parallelism=5),
    ),
    JobConfig(
        JobType.EXPORT_DATA,
        retries=2,
        timeout=300,
        description="Streams an organization's rows to a file in S3.",
        flow_control=FlowControl(parallelism=2, per_organization=True),
        within_organization=True,
    ),
    JobConfig(
        JobType.GENERATE_REPORT,
        retries=2,
        timeout=180,
        description="Builds a report and stores it in S3.",
        flow_control=FlowControl(parallelism=2, per_organization=True),
        within_organization=True,
    ),
    JobConfig(
        JobType.CLEANUP_OLD_DATA,
        retries=1,
        timeout=600,
        description="Deletes data past its retention, in batches.",
        flow_control=FlowControl(parallelism=1),
    ),
    JobConfig(
        JobType.SYNDICATE_LISTING,
        retries=3,
        timeout=60,
        description="Sends a listing to the listing platforms.",
        flow_control=FlowControl(parallelism=4),
        within_organization=True,
    ),
    JobConfig(
        JobType.SEND_REMINDER,
        retries=3,
        timeout=60,
        description="Reminds an applicant of an incomplete application.",
        flow_control=FlowControl(parallelism=2),
        within_organization=True,
    ),
    JobConfig(
        JobType.CRM_MATCH,
        retries=3,
        timeout=60,
        description="Scores an agent's leads against a listing.",
        flow_control=FlowControl(parallelism=4),
        within_organization=True,
    ),
    JobConfig(
        JobType.SEND_NOTIFICATION,
        retries=3,
        timeout=60,
        description="Notifies a person over the channels they prefer.",
        flow_control=FlowControl(parallelism=4),
        sensitive=True,  # an adverse action tells a credit score
        within_organization=True,
    ),
    JobConfig(
        JobType.PING,
        retries=2,
        timeout=30,  # shorter, and a crash would heal sooner than the sweep can promise
        description="Does nothing but complete, for make doctor.",
        flow_control=FlowControl(parallelism=2),
    ),
)
REGISTRY = {config.type: config for config in _CONFIGS}


def get_job_config(job_type: JobType | str) -> JobConfig:
    """How a job type is delivered and run.

    Raises UnknownJobType, which lists the known names.

        >>> get_job_config("send-email").timeout
        30
    """
    try:
        return REGISTRY[JobType(job_type)]
    except ValueError:
        known = ", ".join(each.value for each in JobType)
        raise UnknownJobType(f"there is no job type {str(job_type)!r}; there are {known}") from None


def is_sensitive(job_type: str | None) -> bool:
    """Whether jobs of this type are sensitive; none of an unknown type is."""
    config = REGISTRY.get(cast("JobType", job_type))  # a StrEnum: its text finds it
    return config is not None and config.sensitive
