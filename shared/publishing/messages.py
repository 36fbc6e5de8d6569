"""What the SDK takes: a job, a failure or a schedule as the message that QStash is to deliver."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from qstash.message import FlowControl

from shared.endpoints import RECORD_FAILURE, endpoint
from shared.envelope import Envelope, Metadata
from shared.registry import JobConfig, get_job_config
from shared.rows import UnpublishedJob, UntoldFailure
from shared.settings import DispatcherSettings

_CALLBACK_RETRIES = 5
_LAMBDA_MARGIN = 20  # seconds QStash waits beyond the job's timeout, for Lambda's init and answer
_SPARE_RETRIES = 2  # a 503 for a held lease uses one of QStash's up


def default_options(
    config: JobConfig, retries: int, organization_id: int | None, settings: DispatcherSettings
) -> dict[str, Any]:
    """How a job of this type is published where its caller says nothing else; kept in its row."""
    options: dict[str, Any] = {
        "retries": min(retries + _SPARE_RETRIES, settings.max_retries),
        "timeout": config.timeout + _LAMBDA_MARGIN,
        "attempts": retries + 1,  # of each run
    }
    if limits := config.flow_control:
        options["flow_control"] = {
            "key": limits.key(config.type, organization_id),
            "parallelism": limits.parallelism,
            "rate": limits.rate,
            "period": limits.period,
        }
    return options


def job_message(job: UnpublishedJob, settings: DispatcherSettings) -> dict[str, Any]:
    """What the SDK takes to publish a job. Raises EndpointUnknown or SecretUnavailable."""
    config = get_job_config(job.job_type)
    options = default_options(config, config.retries, job.organization_id, settings) | job.publish_options
    metadata = Metadata(
        user_id=job.user_id,
        organization_id=job.organization_id,
        idempotency_key=job.idempotency_key,
        created_at=job.created_at,
    )
    envelope = Envelope(
        job_id=job.job_id,
        publication=job.publication,
        type=job.job_type,
        # A row may be older than its type's being marked as sensitive, and hold the payload as it is.
        payload={} if config.sensitive else job.payload,
        metadata=metadata,
    )
    message: dict[str, Any] = {
        "url": endpoint(job.job_type, settings),
        "body": envelope.to_wire().decode(),
        # A repeated id is swallowed for ten minutes even when the first message has failed, hence the number.
        "deduplication_id": f"{job.job_id}-{job.publication}",
        "label": job.job_type,
        **_delivery_options(options, settings),
    }
    if job.not_before is not None:
        message["not_before"] = math.ceil(job.not_before.timestamp())
    return message


def failure_message(failure: UntoldFailure) -> dict[str, Any]:
    """What the SDK takes to tell a caller's own failure callback that its job has failed."""
    body = {
        "jobId": str(failure.job_id),
        "type": failure.job_type,
        "status": "failed",
        "run": failure.run,
        "attempt": failure.attempt,
        "error": failure.error,
        "errors": [{name: each[name] for name in each if name != "traceback"} for each in failure.errors],
        "userId": failure.user_id,
        "organizationId": failure.organization_id,
        "completedAt": failure.completed_at.isoformat(),
    }
    return {
        "url": failure.failure_callback,
        "body": json.dumps(body),
        "content_type": "application/json",
        "deduplication_id": f"{failure.job_id}-failed-{failure.run}",
        "label": "failure-callback",
    }


def schedule_message(
    schedule_id: str, cron: str, envelope: Envelope, options: Mapping[str, Any], settings: DispatcherSettings
) -> dict[str, Any]:
    """What the SDK takes to make a schedule. Raises EndpointUnknown or SecretUnavailable."""
    return {
        "destination": endpoint(envelope.type, settings),
        "cron": cron,
        "schedule_id": schedule_id,
        "body": envelope.to_wire().decode(),
        "label": envelope.type,
        **_delivery_options(options, settings),
    }


def _delivery_options(options: Mapping[str, Any], settings: DispatcherSettings) -> dict[str, Any]:
    """What the SDK takes for messages and schedules alike."""
    chosen = {
        "content_type": "application/json",
        "headers": options.get("headers"),
        "retries": options["retries"],
        "timeout": f"{options['timeout']}s",
        "callback": options.get("callback"),
        "failure_callback": endpoint(RECORD_FAILURE, settings),
        "failure_callback_headers": {"Retries": str(min(_CALLBACK_RETRIES, settings.max_retries))},
        "flow_control": _flow_control(options.get("flow_control")),
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _flow_control(options: Mapping[str, Any] | None) -> FlowControl | None:
    if options is None:
        return None
    flow_control: FlowControl = {"key": options["key"]}
    if options.get("parallelism"):
        flow_control["parallelism"] = options["parallelism"]
    if options.get("rate"):
        flow_control["rate"], flow_control["period"] = options["rate"], options["period"]
    return flow_control
