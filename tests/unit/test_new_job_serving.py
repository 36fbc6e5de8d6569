"""`make new-job` says whether the running `make dev` serves the new type."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from infra.local import environment
from infra.new_job.serving import is_served

BEFORE = """JOB_ENDPOINTS='{"send-email": "http://127.0.0.1:9000/send-email/"}'\n"""
AFTER = BEFORE.replace("}", """, "send-sms": "http://127.0.0.1:9000/send-sms/"}""")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a running make dev tells."""
    path = tmp_path / "env"
    monkeypatch.setattr(environment, "ENVIRONMENT", path)
    return path


@pytest.mark.usefixtures("written")
def test_where_no_make_dev_runs_nobody_waits() -> None:
    assert is_served("send-sms", patience=3600) is None


def test_a_type_that_is_taken_up_later_is_waited_for(written: Path) -> None:
    written.write_text(BEFORE)
    answers: list[bool | None] = []
    waiting = threading.Thread(target=lambda: answers.append(is_served("send-sms", patience=30)), daemon=True)
    waiting.start()
    new = written.with_suffix(".new")
    new.write_text(AFTER)
    new.replace(written)
    waiting.join(30)
    assert answers == [True]


def test_a_type_that_is_not_taken_up_is_not_waited_for_for_ever(written: Path) -> None:
    written.write_text(BEFORE)
    began = time.monotonic()
    assert is_served("send-sms", patience=0) is False
    assert is_served("send", patience=0) is False  # no part of a name
    assert time.monotonic() - began < 5
