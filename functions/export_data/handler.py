"""Streams an organization's rows to a file in S3, and tells who asked where it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, Field

from functions.export_data.entities import ENTITIES
from functions.export_data.query import Query
from functions.export_data.records import Requester, find_requester, insert_export
from functions.export_data.streaming import Cancelled, stream
from shared import storage
from shared.emails.data import ExportReadyData
from shared.envelope import WireModel
from shared.errors import InvalidJob
from shared.jobs.export_data import ExportData, ExportFormat
from shared.jobs.send_email import SendEmail
from shared.observability import logger
from shared.outcomes import Cancel, Complete, Fail
from shared.settings import DispatcherSettings, StorageSettings
from shared.worker import Job, job_worker

_CONTENT_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.JSONL: "application/jsonl",
}


class Exported(WireModel):
    """The job's result: the file, its SHA-256 in hexadecimal, and a link that opens it until `expires_at`."""

    bucket: str
    key: str
    rows: int
    bytes: int
    checksum: str
    url: str = Field(repr=False)
    expires_at: AwareDatetime


@job_worker(ExportData, needs=[DispatcherSettings, StorageSettings])
def handler(job: Job[ExportData]) -> Complete | Cancel | Fail:
    """Write the file, then its record together with `completed`; another attempt writes the same file anew."""
    if job.organization_id is None:
        return Fail("an export is of one organization's rows: enqueue it with organization_id")
    requester = find_requester(job.organization_id, job.user_id)
    if requester is None:
        return Fail("there is no such organization")
    try:
        exported = _write_file(job, job.organization_id)
    except Cancelled:
        return Cancel("cancelled while the rows were read")
    with job.transaction() as connection:
        insert_export(connection, _record(job, exported))
    return Complete(exported, then=_mails(job.payload, requester, exported))


def _write_file(job: Job[ExportData], organization_id: int) -> Exported:
    payload = job.payload
    key = f"exports/{organization_id}/{job.id}.{payload.format}"
    filename = f"{payload.entity_type}-{job.created_at:%Y-%m-%d}.{payload.format}"
    with storage.upload(key, content_type=_CONTENT_TYPES[payload.format], filename=filename) as file:
        rows = stream(job, Query(payload, organization_id), file)
    return Exported(
        bucket=storage.bucket(),
        key=key,
        rows=rows,
        bytes=file.bytes,
        checksum=file.sha256,
        expires_at=datetime.now(UTC) + timedelta(seconds=storage.LINK_SECONDS),
        url=storage.link(key),
    )


def _record(job: Job[ExportData], exported: Exported) -> dict[str, object]:
    whose = {"organization_id": job.organization_id, "user_id": job.user_id, "job_id": job.id}
    what = {"entity": job.payload.entity_type, "format": job.payload.format}
    return whose | what | exported.model_dump(exclude={"url"})


def _mails(payload: ExportData, requester: Requester, exported: Exported) -> list[SendEmail]:
    """The mail to who asked; none where nobody did, or where no mail can carry their name or address."""
    if requester.email is None:
        return []
    try:
        data = ExportReadyData(
            name=(requester.name or requester.email)[:100],
            what=ENTITIES[payload.entity_type].what,
            rows=exported.rows,
            size=exported.bytes,
            download_url=exported.url,
            expires_at=exported.expires_at,
        )
        return [SendEmail(to=requester.email, data=data)]
    except InvalidJob as error:
        logger.warning("the export is there, but nobody can be told by mail", extra={"reason": str(error)})
        return []
