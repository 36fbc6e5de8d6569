"""The memory that an export takes: as much for a million rows as for a thousand.

Each size is measured in a process of its own that runs the real worker against a real Postgres and, in yet another
process, moto's S3.

    python -m bench.export_memory [--rows 1000000]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg

from infra.local.postgres import EmbeddedPostgres
from infra.migrations import migrate

ROOT = Path(__file__).parents[1]
FEW = 1_000  # rows
MOST_MEMORY = 1.2  # times that of a few
_BUCKET = "posthaste-bench"
_START_SECONDS = 30.0
# Wide enough for a row of 250 bytes, as a real log's are.
_FILL = """
    INSERT INTO app.activity_logs (organization_id, action, subject_type, subject_id, external_id, data, occurred_at)
    SELECT %(organization_id)s, 'listing.updated', 'listing', number, 'event-' || %(organization_id)s || '-' || number,
        jsonb_build_object('price', 250000 + number, 'note', '=HYPERLINK("https://example.com") ' || md5(number::text)),
        timestamptz '2026-01-01Z' + number * interval '1 second'
    FROM generate_series(1, %(rows)s) AS number
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One export: its rows, the process's peak of resident memory, and how long the job took."""

    rows: int
    peak: int  # bytes
    seconds: float


def fill(database_url: str, rows: int) -> int:
    """Write an organization with so many rows of activity log; its id."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        named = [f"Rows {rows}", f"rows-{rows}"]
        organization = connection.execute(
            "INSERT INTO app.organizations (name, slug) VALUES (%s, %s) RETURNING id", named
        ).fetchone()
        assert organization is not None
        connection.execute(_FILL, {"organization_id": organization[0], "rows": rows})
        connection.execute("ANALYZE app.activity_logs")
    organization_id: int = organization[0]
    return organization_id


def measure(environment: Mapping[str, str], organization_id: int) -> Measured:
    """Export an organization's activity log in a fresh process."""
    command = [sys.executable, "-m", "bench.one_export", str(organization_id)]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise RuntimeError(f"the export failed: {ran.stderr[-2000:]}")
    return Measured(**json.loads(ran.stdout.splitlines()[-1]))


def tell(few: Measured, many: Measured) -> str:
    """Both, and how they compare, in a line each."""
    lines = [
        f"{each.rows:>9,} rows: {each.peak / 2**20:6.1f} MiB at most, {each.seconds:5.1f} s"
        for each in (few, many)
    ]
    return "\n".join([*lines, f"{many.peak / few.peak:.3f} times the memory (at most {MOST_MEMORY})"])


@contextmanager
def storage() -> Iterator[dict[str, str]]:
    """S3 in a process of its own, with a bucket: the variables by which a worker finds it."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        credentials = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        variables = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", **credentials}
        boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        ).create_bucket(Bucket=_BUCKET)
        yield {**variables, "FILES_BUCKET": _BUCKET}
    finally:
        server.terminate()
        server.wait()


def worker_environment(database_url: str) -> dict[str, str]:
    """What a worker needs besides its files' bucket; nothing is published, as nobody asked for a mail."""
    return {
        "DATABASE_URL": database_url,
        "QSTASH_TOKEN": "token",
        "QSTASH_CURRENT_SIGNING_KEY": "sig_current",
        "QSTASH_NEXT_SIGNING_KEY": "sig_next",
        "JOB_ENDPOINTS": json.dumps({"export-data": "https://example.com/", "record-failure": "https://example.com/"}),
    }  # fmt: skip


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("moto's server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _main() -> int:
    options = argparse.ArgumentParser(
        description="The memory that exports of a thousand and of many rows take."
    )
    options.add_argument("--rows", type=int, default=1_000_000, help="how many are many (1,000,000)")
    asked = options.parse_args()
    server = EmbeddedPostgres(ROOT / ".local" / "bench")
    server.start()
    try:
        few, many = _compare(server, asked.rows)
    finally:
        server.stop(immediate=True)
    print(tell(few, many))
    return 0 if many.peak <= few.peak * MOST_MEMORY else 1


def _compare(server: EmbeddedPostgres, rows: int) -> tuple[Measured, Measured]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS export_memory WITH (FORCE)")
        connection.execute("CREATE DATABASE export_memory")
    url = server.database_url("export_memory")
    migrate(url)
    with storage() as files:
        environment = worker_environment(url) | files
        few, many = (measure(environment, fill(url, each)) for each in (FEW, rows))
    return few, many


if __name__ == "__main__":
    sys.exit(_main())
