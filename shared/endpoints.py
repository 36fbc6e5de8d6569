"""Where each function is: the URLs that the template writes into one SSM parameter at deploy time."""

from __future__ import annotations

import json

from shared import secrets
from shared.errors import EndpointUnknown
from shared.settings import DispatcherSettings

RECORD_FAILURE = "record-failure"


def endpoint(name: str, settings: DispatcherSettings) -> str:
    """The URL of a job type's function, or of `record-failure`. Raises EndpointUnknown or SecretUnavailable."""
    url = endpoints(settings).get(name)
    if url is None and secrets.refresh():  # a job type deployed since they were read
        url = endpoints(settings).get(name)
    if not url:
        source = settings.job_endpoints_parameter or "JOB_ENDPOINTS"
        raise EndpointUnknown(f"{source} names no URL for {name!r}: deploy its function, or add it there")
    return url


def endpoints(settings: DispatcherSettings) -> dict[str, str]:
    """All functions' URLs by name. Raises EndpointUnknown or SecretUnavailable."""
    if settings.job_endpoints:
        text = settings.job_endpoints
    elif settings.job_endpoints_parameter:
        text = secrets.parameter(settings.job_endpoints_parameter)
    else:
        raise EndpointUnknown(
            "set JOB_ENDPOINTS_PARAMETER to the stack's SSM parameter, or JOB_ENDPOINTS to its JSON"
        )
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise EndpointUnknown(
            f'the endpoints must be a JSON object like {{"send-email": "https://…"}}, not {text[:80]!r}'
        ) from None
