"""The command line as a process of its own, against the whole local cloud: pipes, terminals, signals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from infra.local.cloud import LocalCloud
from infra.template import ROOT
from shared.database import Connection
from shared.dispatcher import enqueue
from tests.e2e.conftest import wait_for, wait_until_ended
from tests.integration.jobs import Note
from tests.integration.jobs_api.rows import failed

# The terminal is the process's own, so that Ctrl-C reaches it; also where these tests run in a shell's background.
START = """
import fcntl, os, runpy, signal, sys, termios
signal.signal(signal.SIGINT, signal.default_int_handler)
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("infra.cli", run_name="__main__", alter_sys=True)
"""
JOBS = (sys.executable, "-c", START)
SECONDS = 90
pytestmark = pytest.mark.usefixtures("producer")


@pytest.fixture
def shell(cloud: LocalCloud) -> dict[str, str]:
    """What an operator has set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "JOBS_API_URL": cloud.dashboard_url,
        "JOBS_API_KEY": cloud.api_key,
        "TERM": "xterm-256color",
    }


def run(shell: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*JOBS, *map(str, arguments)]
    return subprocess.run(
        command,
        env=shell,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


class Terminal:
    """A command on a terminal of so many columns."""

    def __init__(self, shell: dict[str, str], columns: int, *arguments: object) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._ours, self.text = ours, ""
        command = [*JOBS, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, env=shell, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)

    def read_until(self, text: str) -> None:
        while text not in self.text and self._read():
            pass
        assert text in self.text, self.text

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> int:
        """Ctrl-C until it is heard: Python misses one that comes just before it waits for a key. The exit code."""
        for _second in range(SECONDS):
            self.type("\x03")
            while select.select([self._ours], [], [], 1)[0]:
                if not self._read():
                    return self.end()
        raise AssertionError(self.text)

    def end(self) -> int:
        """Read all that is still said; the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(timeout=30)

    def _read(self) -> bool:
        assert select.select([self._ours], [], [], SECONDS)[0], f"nothing more was said: {self.text}"
        try:
            read = os.read(self._ours, 65_536)
        except OSError:  # the other side is closed
            return False
        self.text += read.decode(errors="replace")
        return bool(read)


@contextmanager
def on_terminal(shell: dict[str, str], columns: int, *arguments: object) -> Iterator[Terminal]:
    terminal = Terminal(shell, columns, *arguments)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()


def test_a_job_is_enqueued_and_waited_for(shell: dict[str, str]) -> None:
    ran = run(shell, "enqueue", "ping", "--wait", "--json")
    assert (ran.returncode, json.loads(ran.stdout)["status"]) == (0, "completed"), ran.stderr
    shown = run(shell, "show", json.loads(ran.stdout)["jobId"])
    assert (shown.returncode, shown.stderr, "\x1b" in shown.stdout) == (0, "", False)


def test_hundreds_are_replayed_on_a_terminal_with_a_question_and_a_bar(
    shell: dict[str, str], connection: Connection
) -> None:
    dead = [failed(connection, job_type="ping", organization_id=4711) for _each in range(300)]
    with on_terminal(shell, 100, "replay", "--type", "ping", "--organization", 4711) as terminal:
        terminal.read_until("Replay 300 failed jobs (type ping, organization 4711) at http://127.0.0.1:")
        terminal.read_until("[y/N]: ")
        terminal.type("y\n")
        assert terminal.end() == 0, terminal.text
    assert "50/300" in terminal.text
    assert "300/300" in terminal.text
    assert terminal.text.endswith("replayed 300 jobs\r\n")

    def completed() -> bool:
        row = connection.execute(
            "SELECT count(*) AS jobs FROM job_executions WHERE job_id = ANY(%s) AND status = 'completed' AND run = 2",
            [dead],
        ).fetchone()
        return row is not None and row["jobs"] == 300

    wait_for("the end of all that were replayed", completed, seconds=120)


def test_no_is_no_and_ctrl_c_too(shell: dict[str, str], connection: Connection) -> None:
    job_id = failed(connection, organization_id=4712)
    for answer in ("n\n", "\n"):
        with on_terminal(shell, 100, "replay", "--organization", 4712) as terminal:
            terminal.read_until("[y/N]: ")
            terminal.type(answer)
            assert (terminal.end(), "nothing was done" in terminal.text) == (1, True), terminal.text
    with on_terminal(shell, 100, "replay", "--organization", 4712) as terminal:
        terminal.read_until("[y/N]: ")
        assert (terminal.interrupt(), "stopped" in terminal.text) == (130, True), terminal.text
    row = connection.execute("SELECT status FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert row == {"status": "failed"}


def test_a_narrow_terminal_has_whole_ids_and_colours_unless_they_are_not_wanted(
    shell: dict[str, str], connection: Connection
) -> None:
    job_id = failed(connection, organization_id=4713, error="a long story " * 20)
    arguments = ("list", "--organization", 4713)
    for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with on_terminal(shell | variables, 60, *arguments) as terminal:
            assert terminal.end() == 0
        assert ("\x1b[31mfailed" in terminal.text) is coloured
        assert f"\n{job_id}  " in terminal.text
        assert "long story" not in terminal.text
    piped = run(shell, *arguments).stdout
    assert ("a long story " * 20).strip() in piped
    assert "\x1b" not in piped


def test_a_key_is_asked_for_and_not_shown(shell: dict[str, str]) -> None:
    without = {name: value for name, value in shell.items() if name != "JOBS_API_KEY"}
    with on_terminal(without, 100, "list", "--limit", 1) as terminal:
        terminal.read_until("API key of http://127.0.0.1:")
        terminal.read_until(": ")
        terminal.type(shell["JOBS_API_KEY"] + "\n")
        assert terminal.end() == 0, terminal.text
    assert shell["JOBS_API_KEY"] not in terminal.text


def test_a_tail_follows_a_job_and_ends_quietly_at_ctrl_c(shell: dict[str, str], gate: object) -> None:
    process = subprocess.Popen(
        [*JOBS, "tail", "crm-match", "--interval", "0.5", "--json"],  # the job may run before this does
        env=shell, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    guard = threading.Timer(SECONDS, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        job_id = enqueue(Note(text="followed"))
        seen: list[str] = []
        for line in process.stdout:
            change = json.loads(line)
            if UUID(change["jobId"]) != job_id:
                continue
            seen.append(change["status"])
            if change["status"] == "processing":
                assert callable(gate)
                gate("followed")
            if change["status"] == "completed":
                break
        assert seen[-2:] == ["processing", "completed"]
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    finally:
        guard.cancel()
        process.kill()
        process.wait()


def test_whoever_reads_may_stop_reading(shell: dict[str, str], connection: Connection) -> None:
    for _each in range(30):
        failed(connection, organization_id=4714, error="x" * 300)
    for form in ([], ["--json"], ["--ids"]):
        command = [*JOBS, "list", "--organization", "4714", "--all", *form]
        process = subprocess.Popen(
            command, env=shell, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.wait(timeout=60), process.stderr.read()) == (0, b"")
        process.stderr.close()


def test_letters_that_a_terminal_does_not_have_are_spelled_out(
    shell: dict[str, str], connection: Connection
) -> None:
    failed(connection, organization_id=4715, error="Zoë 🏠")
    ran = run(shell | {"PYTHONIOENCODING": "ascii"}, "list", "--organization", 4715)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert r"Zo\xeb \U0001f3e0" in ran.stdout


def test_make_hands_on_what_it_is_given(shell: dict[str, str]) -> None:
    plan = subprocess.run(
        ["make", "-n", "-o", "setup", "jobs", "ARGS=list --status failed"],
        env=shell, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert plan.stdout.strip() == ".venv/bin/python -m infra.cli list --status failed"


def test_nobody_there_and_a_wrong_key_are_a_line_each(shell: dict[str, str]) -> None:
    gone = run(shell | {"JOBS_API_URL": "http://127.0.0.1:1"}, "list")
    assert (gone.returncode, gone.stdout, gone.stderr.count("\n")) == (3, "", 1)
    assert "nobody answers at http://127.0.0.1:1" in gone.stderr
    wrong = run(shell | {"JOBS_API_KEY": "ph_wrong"}, "list")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (4, "", 1)
    assert "ph_wrong" not in wrong.stderr


def test_a_dead_letter_is_corrected_and_completes(
    shell: dict[str, str], cloud: LocalCloud, connection: Connection
) -> None:
    cloud.mailbox.fail_next(1, status=422, to="ada@exmaple.com")
    payload = {"to": "ada@exmaple.com", "template": "welcome", "data": {"name": "Ada"}}
    ran = run(shell, "enqueue", "send-email", "--payload", json.dumps(payload), "--wait", "--json")
    assert ran.returncode == 1
    job = json.loads(ran.stdout)
    assert "Resend refused the mail" in run(shell, "show", job["jobId"]).stdout
    corrected = json.dumps(payload | {"to": "ada@example.org"})
    again = run(shell, "retry", job["jobId"], "--payload", corrected, "--wait")
    assert again.returncode == 0, again.stderr
    assert wait_until_ended(UUID(job["jobId"])).status == "completed"
    assert [mail.to for mail in cloud.mailbox.mails if "ada@example.org" in mail.to] == [["ada@example.org"]]
