"""Builds a report, stores it in S3, and tells who asked where it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb
from pydantic import AwareDatetime, Field

from functions.generate_report.building import build
from functions.generate_report.formats import CONTENT_TYPES, write
from functions.generate_report.model import Report
from functions.generate_report.records import Organization, find_organization, insert_report
from functions.generate_report.words import highlights
from shared import storage
from shared.emails.data import ReportReadyData
from shared.emails.wording import fit
from shared.envelope import WireModel
from shared.errors import InvalidJob
from shared.jobs.generate_report import GenerateReport
from shared.jobs.send_email import SendEmail
from shared.observability import logger
from shared.outcomes import Complete, Fail
from shared.settings import StorageSettings
from shared.worker import Job, job_worker


class Reported(WireModel):
    """The job's result: the file, its SHA-256 in hexadecimal, and a link that opens it until `expires_at`.

    `empty` is whether there was nothing to report.
    """

    title: str
    period: str
    bucket: str
    key: str
    bytes: int
    checksum: str
    empty: bool
    url: str = Field(repr=False)
    expires_at: AwareDatetime


@job_worker(GenerateReport, needs=[StorageSettings])
def handler(job: Job[GenerateReport]) -> Complete | Fail:
    """Write the file, then its record together with `completed`; another attempt writes the same file anew."""
    if job.organization_id is None:
        from functions.generate_report.fan_out import fan_out  # noqa: PLC0415  # brings the dispatcher

        return fan_out(job)
    organization = find_organization(job)
    if organization is None:
        return Fail("there is no such organization")
    report = build(job, organization)
    reported = _store(job, report)
    with job.transaction() as connection:
        insert_report(connection, _record(job, report, reported))
    return Complete(reported, then=_mails(organization, report, reported))


def _store(job: Job[GenerateReport], report: Report) -> Reported:
    kind = job.payload.format
    content = write(report, kind)
    key = f"reports/{job.organization_id}/{job.id}.{kind}"
    filename = f"{report.report_type}-{report.first_day}-{report.last_day}.{kind}"
    with storage.upload(key, content_type=CONTENT_TYPES[kind], filename=filename) as file:
        file.write(content)
    return Reported(
        title=report.title,
        period=report.period,
        bucket=storage.bucket(),
        key=key,
        bytes=file.bytes,
        checksum=file.sha256,
        empty=report.empty,
        url=storage.link(key),
        expires_at=datetime.now(UTC) + timedelta(seconds=storage.LINK_SECONDS),
    )


def _record(job: Job[GenerateReport], report: Report, reported: Reported) -> dict[str, object]:
    asked = job.payload.model_dump(mode="json", by_alias=True, exclude_none=True)
    whose = {"organization_id": job.organization_id, "user_id": job.user_id, "job_id": job.id}
    what = {
        "report_type": job.payload.report_type.module,
        "format": job.payload.format,
        "parameters": Jsonb(asked),
        "period_start": report.first_day,
        "period_end": report.last_day,
    }
    return whose | what | reported.model_dump(include={"bucket", "key", "bytes", "checksum", "expires_at"})


def _mails(organization: Organization, report: Report, reported: Reported) -> list[SendEmail]:
    """The mail to who asked; none where nobody did, or where no mail can carry their name or address."""
    if organization.requester_email is None:
        return []
    try:
        data = ReportReadyData(
            name=fit(organization.requester_name or organization.requester_email),
            title=report.title,
            period=report.period,
            download_url=reported.url,
            expires_at=reported.expires_at,
            highlights=[fit(each) for each in highlights(report)],
        )
        return [SendEmail(to=organization.requester_email, data=data)]
    except InvalidJob as error:
        logger.warning("the report is there, but nobody can be told by mail", extra={"reason": str(error)})
        return []
