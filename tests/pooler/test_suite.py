"""Everything that `tests/integration` proves also holds where the code finds PgBouncer in transaction mode."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, behind_pgbouncer
from tests.pgbouncer import HOW_TO_INSTALL, find_pgbouncer


# Asked for, because it takes as long as those tests do without one.
@pytest.mark.skipif(not os.environ.get("TEST_POOLER"), reason="`make test-pooler` runs it")
@pytest.mark.skipif(find_pgbouncer() is None, reason=HOW_TO_INSTALL)
@pytest.mark.skipif(behind_pgbouncer(), reason="this run is behind PgBouncer itself")
def test_the_integration_tests_pass_behind_pgbouncer() -> None:
    options = ["-q", "-n", "auto", "--dist", "loadfile", "--color", "no", "-p", "no:cacheprovider"]
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
