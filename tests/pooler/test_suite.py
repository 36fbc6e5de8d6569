"""Everything that `tests/integration` proves also holds where the code finds PgBouncer in transaction mode."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, behind_pgbouncer
from tests.pgbouncer import HOW_TO_INSTALL, find_pgbouncer


@pytest.mark.skipif(find_pgbouncer() is None, reason=HOW_TO_INSTALL)
@pytest.mark.skipif(behind_pgbouncer(), reason="this run is behind PgBouncer itself")
def test_the_integration_tests_pass_behind_pgbouncer() -> None:
    # As many processes as this run has: xdist keeps the file with the fewest tests for the end, when they are idle.
    processes = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")
    options = ["-q", "-n", processes, "--dist", "loadfile", "--color", "no", "-p", "no:cacheprovider"]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "tests/integration"],
        cwd=ROOT,
        env=os.environ | {"TEST_BEHIND_PGBOUNCER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with run:  # unlike subprocess.run, leaves an interrupted one the time to stop its servers
        output, _nothing = run.communicate()
    if run.returncode != 0:
        command = "TEST_BEHIND_PGBOUNCER=1 pytest tests/integration"
        pytest.fail(f"{command} ended with {run.returncode}:\n{output}", pytrace=False)
    print(output)  # noqa: T201  # pytest -s shows it
