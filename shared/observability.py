"""Logs and metrics: one line for each thing that happens to a job, and CloudWatch metrics by job type.

On Lambda these are Powertools' JSON lines and EMF. In a producer's own process it is the standard logger `posthaste`,
and no metrics: standard output belongs to the application there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "posthaste")
_NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Posthaste")

logger: Logger | logging.Logger = Logger(service=_SERVICE) if ON_LAMBDA else logging.getLogger("posthaste")

_UNITS = {
    "Duration": MetricUnit.Seconds,
    "QueueLatency": MetricUnit.Seconds,
    "TimeToFirstRetry": MetricUnit.Seconds,
    "OldestPending": MetricUnit.Seconds,
}


def remember(**keys: object) -> None:
    """Add keys to every line logged until `forget`."""
    if isinstance(logger, Logger):
        logger.append_keys(**{name: value for name, value in keys.items() if value is not None})


def forget() -> None:
    """Drop the keys of the last invocation; a Lambda process serves many."""
    if isinstance(logger, Logger):
        logger.thread_safe_clear_keys()
        logger.clear_state()


def count(metrics: Mapping[str, float], job_type: str | None = None) -> None:
    """Emit metrics, by job type where one is given and then over all types too. Spans are in seconds, all else counts.

    The second is for alarms, which cannot search through the types as a dashboard can.
    """
    if not ON_LAMBDA or not metrics:
        return
    emitted = EphemeralMetrics(namespace=_NAMESPACE, service=_SERVICE)
    if job_type is not None:
        emitted.add_dimension(name="job_type", value=job_type)
        emitted.add_dimensions(service=_SERVICE)
    for name, value in metrics.items():
        emitted.add_metric(name=name, unit=_UNITS.get(name, MetricUnit.Count), value=value)
    emitted.flush_metrics()
