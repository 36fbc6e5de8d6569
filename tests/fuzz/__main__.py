"""`make fuzz-webhooks`: `python -m tests.fuzz --requests 10000 --seed 7`. Exit code 1 if anything is not as it should be."""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import time

import psycopg

from infra.local.postgres import EmbeddedPostgres
from infra.migrations import migrate
from infra.template import ROOT
from tests.conftest import with_database
from tests.fuzz.run import fuzz
from tests.integration.webhooks.stage import staged

_DATABASE = "fuzz"
_OVER_HTTP = 20  # each so-many-th


def main() -> int:
    """Fuzz, and tell what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    for name in ("posthaste", "aws_lambda_powertools"):  # the receiver complains, as it should
        logging.getLogger(name).setLevel(logging.CRITICAL)
    started = time.monotonic()
    postgres = EmbeddedPostgres(ROOT / ".local" / "fuzz")
    postgres.start()
    try:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {_DATABASE}".encode())
        url = with_database(postgres.url, _DATABASE)
        migrate(url)
        with staged(url) as stage:
            os.environ.update(stage.environment)
            judge = fuzz(
                stage, seed=seed, requests=options.requests, over_http=_OVER_HTTP, progress=_print_progress
            )
    finally:
        postgres.stop(immediate=True)
    answers = ", ".join(f"{number:,} × {status}" for status, number in sorted(judge.answers.items()))
    print(f"{judge.answers.total():,} requests in {time.monotonic() - started:.0f} s: {answers}")
    print("{:,} events and {:,} jobs".format(*judge.written))
    for each in judge.violations:
        print(f"✗ {each}")
    print("no violation" if not judge.violations else f"{len(judge.violations)} violations; seed {seed}")
    return 1 if judge.violations else 0


def _print_progress(done: int) -> None:
    if done and done % 1_000 == 0:
        print(f"  {done:,}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
