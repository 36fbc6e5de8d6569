"""One export in a process of its own, for `bench.export_memory`: prints what it measured as JSON.

python -m bench.one_export ORGANIZATION_ID
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from uuid import UUID

from functions.export_data.handler import handler
from shared import database, executions
from shared.envelope import Delivery, Envelope
from shared.job_request import JobRequest, new_job
from shared.jobs.export_data import EntityType, ExportData
from shared.settings import DispatcherSettings

_SECONDS = 600.0


def _accept(organization_id: int) -> Delivery:
    request = JobRequest(ExportData(entity_type=EntityType.ACTIVITY_LOGS), organization_id=organization_id)
    job = new_job(request, DispatcherSettings.load())
    executions.insert(database.connection(), [job], max_delay=604_800)
    envelope = Envelope(job_id=job.job_id, publication=1, type=job.job_type, payload=job.payload)
    return Delivery(envelope, "msg_bench")


def _rows_of(job_id: UUID) -> int:
    ended = executions.find(database.connection(), job_id)
    if ended is None or ended.status != "completed":
        raise RuntimeError(f"the export did not complete: {ended and ended.error}")
    rows: int = ended.result["rows"]
    return rows


def _peak() -> int:
    """This process's peak of resident memory, in bytes; on Linux getrusage also counts the parent's before the exec."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _main(organization_id: int) -> None:
    delivery = _accept(organization_id)
    started = time.monotonic()
    handler.deliver(delivery, _SECONDS)
    seconds = time.monotonic() - started
    print(json.dumps({"rows": _rows_of(delivery.job_id), "peak": _peak(), "seconds": seconds}))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
