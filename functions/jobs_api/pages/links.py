"""Where else a job can be looked at: its function's logs, its message at QStash. Only where such a page is."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from functions.jobs_api.shapes import Job
from shared.registry import JobType
from shared.settings import ApiSettings

_CONSOLE = "https://console.upstash.com/qstash"  # Upstash documents no address of a single message


def links_of(job: Job) -> dict[str, str]:
    """Addresses by their names; only those that there are."""
    settings = ApiSettings.load()
    found = {}
    if (
        settings.region
        and settings.job_endpoints_parameter
        and job.type in set(JobType)
        and settings.aws_endpoint_url is None  # an AWS that is none has no console
    ):
        found["Logs in CloudWatch"] = _logs(
            settings.region, settings.job_endpoints_parameter, JobType(job.type)
        )
    if job.qstash_message_id:
        found |= _message(settings.qstash_url, job.qstash_message_id)
    return found


def _logs(region: str, parameter: str, job_type: JobType) -> str:
    """The function's log group, found by the name that CloudFormation gives it: stack, resource, a random end."""
    group = f"{parameter.strip('/').partition('/')[0]}-{job_type.class_name}LogGroup"
    query = quote(quote(group, safe=""), safe="").replace("%", "$")
    return f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups$3FlogGroupNameFilter$3D{query}"


def _message(qstash_url: str, message_id: str) -> dict[str, str]:
    """The local QStash has a page of each message; in Upstash's console the id, which the page shows, is looked for."""
    if (urlsplit(qstash_url).hostname or "").endswith(".upstash.io"):
        return {"QStash's console": _CONSOLE}
    return {"Message at QStash": f"{qstash_url}/messages/{quote(message_id, safe='')}"}
