"""`python -m tests.fuzz_api`: ten thousand generated requests against a Postgres and a QStash of its own."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from functions.jobs_api.access import limits
from infra.local.background import Background
from infra.local.console import fail, out
from infra.local.postgres import EmbeddedPostgres
from infra.local.qstash import QStashServer
from infra.migrations import migrate
from infra.payload_keys import new_entry
from shared.registry import JobType
from tests.fuzz_api.requests import World, send_many
from tests.fuzz_api.stage import operator, others, set_up

_NAMES = (*(each.value for each in JobType), "record-failure")


def main() -> int:
    """Send them; the exit code says whether every answer was right."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_api")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    limits.FAILED_ATTEMPTS = limits.ACTIONS = 10**9  # what is refused for its number alone finds nothing
    qstash = QStashServer(port=0)
    with tempfile.TemporaryDirectory() as folder, Background() as background:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        postgres.start()
        background.call(qstash.start())
        try:
            return _run(postgres.url, qstash, asked.requests, asked.seed)
        finally:
            background.call(qstash.stop())
            postgres.stop(immediate=True)


def _run(server_url: str, qstash: QStashServer, requests: int, seed: int) -> int:
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE fuzz")
    url = make_conninfo(server_url, dbname="fuzz")
    migrate(url)
    os.environ |= {
        "DATABASE_URL": url,
        "QSTASH_URL": qstash.url,
        "QSTASH_TOKEN": qstash.token,
        "PAYLOAD_KEYS": new_entry(),
        "API_KEYS": "none",
        "JOB_ENDPOINTS": json.dumps(dict.fromkeys(_NAMES, "https://jobs.example.com/")),
    }
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        world = set_up(connection)
        before = others(connection)
        started = time.monotonic()
        try:
            send_many(world, requests * 4 // 5, seed)
            assert others(connection) == before, "something of another organization has changed"
            by_operator = World({"ops": operator()}, world.ids, world.bound, world.answers)
            send_many(by_operator, requests - world.sent, seed + 500)
        except AssertionError as error:
            return fail(f"seed {seed}: {error}")
    answers = ", ".join(f"{status}: {times}" for status, times in sorted(world.answers.items()))
    out.print(
        f"✓ {world.sent} requests (seed {seed}) in {time.monotonic() - started:.0f} s, answered {answers}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
