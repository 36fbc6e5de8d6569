"""Exports and reports that were made: one that can be fetched, one that has expired, one whose file is gone.

Their files are not made: nothing is written to S3.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from infra.seed.tables import Row
from infra.seed.tenant import Tenant

_LIFETIME = timedelta(days=7)
_AGES = (2, 8, 30)  # days; cleanup has deleted the last one's file, and has the second's to delete
_BUCKET = "posthaste-files"


def add_files(tenant: Tenant) -> None:
    """Three exports, and three reports of recurring revenue."""
    for age in _AGES:
        at = tenant.ago(days=age, hours=10)
        number = _add_export(tenant, at)
        if tenant.now > at + _LIFETIME:
            tenant.expired_export_id = tenant.expired_export_id or number
        _add_report(tenant, at)


def _add_export(tenant: Tenant, at: datetime) -> int:
    rows = tenant.dice.randint(100, 900)
    return tenant.tables.add(
        "exports", entity="activity_logs", rows=rows, **_file(tenant, "exports", at, rows * 210, "csv")
    )


def _add_report(tenant: Tenant, at: datetime) -> None:
    last = at.replace(day=1) - timedelta(days=1)
    tenant.tables.add(
        "reports",
        report_type="revenue",
        parameters={},
        period_start=last.date().replace(day=1),
        period_end=last.date(),
        **_file(tenant, "reports", at, tenant.dice.randint(20_000, 90_000), "pdf"),
    )


def _file(tenant: Tenant, folder: str, at: datetime, size: int, extension: str) -> Row:
    job_id = tenant.job_id(at)
    expires = at + _LIFETIME
    return {
        "organization_id": tenant.id,
        "user_id": tenant.dice.choice(tenant.members).id,
        "format": extension,
        "bucket": _BUCKET,
        "key": f"{folder}/{tenant.id}/{job_id}.{extension}",
        "bytes": size,
        "checksum": hashlib.sha256(job_id.bytes).hexdigest(),
        "job_id": job_id,
        "created_at": at,
        "expires_at": expires,
        "deleted_at": expires + timedelta(hours=3) if tenant.now - at > 2 * _LIFETIME else None,
    }
