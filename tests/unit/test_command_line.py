"""The command line before and after the API: what is typed, where it goes, what an answer means, what is shown."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import httpx
import pytest

from functions.jobs_api.shapes import EnqueueRequest, Filters, JobSummary
from infra.cli import bulk, options
from infra.cli.__main__ import main
from infra.cli.columns import Column, laid_out
from infra.cli.commands import enqueueing
from infra.cli.errors import NotDone, Wrong
from infra.cli.following import Follower
from infra.cli.screen import one_line, safe
from infra.cli.session import Session, nearest
from infra.cli.target import checked_url, find_target
from infra.cli.values import Moment, read_object, seconds_of
from infra.local import environment as local
from infra.template import ROOT

JOB = "01a22273-6818-7243-a784-d323ffb7aacc"
URL = "https://api.example.com"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No local cloud runs; an API is named, and a key."""
    monkeypatch.setattr(local, "ENVIRONMENT", tmp_path / "env")
    monkeypatch.setenv("JOBS_API_URL", URL)
    monkeypatch.setenv("JOBS_API_KEY", "ph_key")
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    return monkeypatch


@pytest.fixture
def waits() -> list[float]:
    """How long it has waited, each time."""
    return []


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], waits: list[float]) -> Callable[..., tuple[int, str, str]]:
    """Run a command against an API that answers so."""

    def run(answer: Answer, *arguments: str) -> tuple[int, str, str]:
        session = Session(transport=httpx.MockTransport(answer), sleep=waits.append)
        code = main(arguments, session)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


Run = Callable[..., tuple[int, str, str]]


def said(status: int, error: str, **headers: str) -> Answer:
    return lambda _request: httpx.Response(status, json={"error": error}, headers=headers)


def never(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("the API was asked")


# --- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (said(400, "the request is not valid"), 2, "the request is not valid"),
        (said(401, "this API key is none of ours"), 4, "refuses the key: this API key is none of ours"),
        (said(403, "the key 'ops' may read only"), 4, "may read only"),
        (said(404, f"there is no job {JOB}"), 1, f"there is no job {JOB}"),
        (said(409, "job has ended"), 1, "job has ended"),
        (said(500, "something went wrong"), 3, "failed (500): something went wrong"),
        (said(503, "Postgres cannot be reached now"), 3, "cannot do it now: Postgres cannot be reached now"),
        (said(404, "there is nothing at this path"), 3, "of another version"),
        (said(302, "", Location="https://elsewhere.example.com"), 3, "leads elsewhere"),
        (lambda _: httpx.Response(403, json={"Message": None}), 3, "does not answer as a jobs API does (Forbidden)"),
        (lambda _: httpx.Response(500, content=b"<b>\xff", headers={"Content-Type": "text/html; charset=hex"}), 3, "<b>\ufffd"),
        (lambda _: httpx.Response(429, json={"Message": "Rate Exceeded."}), 3, "✗ Rate Exceeded. Try again later"),
        (lambda _: httpx.Response(502, text="<html>\n<h1>Bad Gateway"), 3, "failed (502): <html> <h1>Bad Gateway"),
        (lambda _: httpx.Response(200, html="<p>Hello"), 3, "does not answer as a jobs API does: check the URL"),
        (lambda _: httpx.Response(200, json={"jobId": JOB}), 3, "cannot read (type): it is of another version"),
        (lambda _: httpx.Response(200, json=[]), 3, "of another version"),
        (lambda _: httpx.Response(500, json={"error": "\x1b[2Jgone"}), 3, r"\x1b[2Jgone"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_told_in_a_line(run: Run, answer: Answer, code: int, words: str) -> None:
    got, out, err = run(answer, "show", JOB)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert "ph_key" not in err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "nobody answers at https://api.example.com"),
        (httpx.ConnectTimeout("timed out"), "nobody answers"),
        (httpx.ReadTimeout("timed out"), "broke off without an answer (timed out)"),
        (httpx.RemoteProtocolError(""), "broke off without an answer (RemoteProtocolError)"),
    ],
)
def test_no_answer_is_told_in_a_line(run: Run, error: httpx.HTTPError, words: str) -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise error

    code, out, err = run(broken, "list")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert words in err
    assert "may have been done" not in err
    assert "may have been done" in run(broken, "enqueue", "ping")[2] or "nobody answers" in words


def test_too_many_requests_are_waited_for_and_said(run: Run, waits: list[float]) -> None:
    answers = iter(
        [said(429, "too many", **{"Retry-After": "17"}), said(429, "too many", **{"Retry-After": "3"})]
    )

    def busy(request: httpx.Request) -> httpx.Response:
        return next(answers, lambda _request: httpx.Response(202, json={"jobId": JOB}))(request)

    code, out, err = run(busy, "enqueue", "ping")
    assert (code, out, waits) == (0, JOB + "\n", [17.0, 3.0])
    assert "too many requests; asking again in 17 s" in err


def test_but_not_without_end(run: Run, waits: list[float]) -> None:
    code, _out, err = run(said(429, "too many", **{"Retry-After": "60"}), "list")
    assert (code, sum(waits)) == (3, 180.0)
    assert "Try again later" in err


def test_what_cannot_be_done_now_is_asked_again_if_it_only_reads(run: Run, waits: list[float]) -> None:
    later = said(503, "Postgres cannot be reached now", **{"Retry-After": "5"})
    assert (run(later, "list")[0], waits) == (3, [5.0, 5.0, 5.0])
    waits.clear()
    assert (run(later, "enqueue", "ping")[0], waits) == (3, [])  # it may have been done


def test_the_key_is_sent_and_to_nobody_else(run: Run) -> None:
    asked: list[httpx.Request] = []

    def noting(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(307, headers={"Location": "https://elsewhere.example.com/v1/jobs"})

    assert run(noting, "list")[0] == 3
    assert [(str(each.url), each.headers["authorization"]) for each in asked] == [
        (f"{URL}/v1/jobs?limit=20", "Bearer ph_key")
    ]


# --- what is typed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lsit"], "Did you mean 'list'?"),
        (["list", "--stauts", "failed"], "--status"),
        (["list", "--status", "done"], "'done' is not one of"),
        (["list", "--since", "yesterday"], "'yesterday' is no time"),
        (["list", "--user", "0"], "'0' is no id"),
        (["list", "--limit", "none"], "--limit"),
        (["list", "--batch", "x"], "--batch"),
        (["show", "x"], "'x' is no job id"),
        (["enqueue"], "Missing argument 'TYPE'"),
        (["enqueue", "ping", "--payload", '{"a":'], "it is no JSON: Expecting value at line 1, column 6"),
        (["enqueue", "ping", "--payload", "[1]"], "it is no JSON object"),
        (["enqueue", "ping", "--payload", '{"a": NaN}'], "NaN is no number"),
        (["enqueue", "ping", "--payload", "@nowhere.json"], "@nowhere.json cannot be read"),
        (["enqueue", "ping", "--delay", "soon"], "'soon' is no span"),
        (["enqueue", "ping", "--delay", "1h", "--not-before", "2h"], "two times"),
        (["enqueue", "ping", "--header", "x"], "'x' is no NAME=VALUE"),
        (["retry", JOB, "--edit", "--payload", "{}"], "two payloads"),
        (["replay"], "say which jobs to replay"),
        (["replay", JOB, "--type", "ping"], "not both"),
        (["replay", "--status", "completed"], "failed or cancelled, not completed"),
        (["cancel", "--status", "failed"], "pending or retrying or processing, not failed"),
        (["list", "--url", "http://api.example.com"], "unencrypted"),
        (["list", "--url", URL, "--env", "dev"], "two APIs"),
        (["list", "--env", "moon"], "no stack 'moon'; it has dev, staging, production"),
    ],
)
def test_what_is_typed_wrong_is_said_and_nothing_sent(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(never, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_without_a_command_and_with_help_it_tells_what_there_is(run: Run) -> None:
    code, _out, err = run(never)
    assert code == 2
    code, out, _err = run(never, "--help")
    assert code == 0
    for command in ("list", "show", "enqueue", "retry", "cancel", "replay", "tail", "stats", "schedules"):
        assert f"\n  {command} " in err
        assert f"\n  {command} " in out
        assert run(never, command, "--help")[0] == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("45s", 45), ("15m", 900), ("15min", 900), ("1.5h", 5400), ("7d", 604_800)],
)
def test_spans(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1y", "1e9", "99999999w", "nan", "٣"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="is no span"):
        seconds_of(text)


def test_moments() -> None:
    read = Moment().convert
    assert read("2026-01-31T12:00", None, None) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert read("2026-01-31T12:00+02:00", None, None) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert abs(datetime.now(UTC) - timedelta(hours=2) - read("2h", None, None)) < timedelta(minutes=1)
    ahead = Moment(ahead=True).convert("2h", None, None)
    assert abs(datetime.now(UTC) + timedelta(hours=2) - ahead) < timedelta(minutes=1)


def test_what_may_be_a_date_or_seconds_is_asked_about() -> None:
    with pytest.raises(click.BadParameter, match="write 2026-01-31, or 20260131s"):
        Moment().convert("20260131", None, None)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["enqueue", "ping", "--payload", "-"], 2, "it is no JSON"),
        (["replay", "-"], 2, "say which jobs to replay"),
        (["replay", "--status", "failed"], 2, "repeat it with --yes"),
    ],
)
def test_closed_streams_are_empty_ones(
    run: Run, shell: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    shell.setattr("sys.stdin", None)
    got, out, err = run(lambda _: httpx.Response(200, json={"count": 1, "complete": True}), *arguments)
    assert (got, out) == (code, "")
    assert words in err
    shell.setattr("sys.stdout", None)
    assert run(said(404, "there is no such job"), "show", JOB)[0] == 1


def test_what_is_no_text_on_stdin_is_told(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8"))
    code, _out, err = run(never, "replay", "-")
    assert (code, "stdin is no text" in err) == (2, True)


def test_a_file_that_cannot_be_read_is_named(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.delenv("JOBS_API_URL")
    local.ENVIRONMENT.mkdir()
    code, _out, err = run(never, "list")
    assert (code, str(local.ENVIRONMENT) in err) == (1, True)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_output_that_is_full_is_told(run: Run, shell: pytest.MonkeyPatch, form: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        shell.setattr("sys.stdout", full)
        code, _out, err = run(lambda _: httpx.Response(202, json={"jobId": JOB}), "enqueue", "ping", *form)
    assert code == 1
    assert (
        err
        == "✗ the answer cannot be written (No space left on device). It may have been done all the same\n"
    )


def test_ctrl_c_after_the_last_job_is_told_like_any_other(run: Run, shell: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupted(*_arguments: object) -> Iterator[Callable[[int], None]]:
        yield lambda _steps: None
        raise KeyboardInterrupt

    shell.setattr(bulk, "progress", interrupted)
    code, _out, err = run(lambda _: httpx.Response(200, json={"jobId": JOB}), "replay", JOB)
    assert (code, err) == (130, "broke off after 1 job\n✗ stopped\n")


def test_a_tail_of_a_busy_queue_does_not_grow_without_end() -> None:
    numbers = itertools.count()
    moment = datetime.now(UTC).isoformat()
    empty = dict.fromkeys(JobSummary.model_json_schema(by_alias=True)["properties"])
    job = (
        empty
        | dict.fromkeys(("createdAt", "updatedAt"), moment)
        | dict.fromkeys(("run", "attempt", "maxAttempts"), 1)
    )

    def answer(request: httpx.Request) -> httpx.Response:
        """200 new jobs at every look, none of which ends."""
        if request.url.path != "/v1/jobs":
            return httpx.Response(404, json={"error": "there is no such job"})
        made = [] if "status" in request.url.params else [next(numbers) for _each in range(200)]
        shown = [
            job | {"jobId": str(UUID(int=number)), "type": "ping", "status": "pending"} for number in made
        ]
        return httpx.Response(200, json={"jobs": shown, "next": None, "searchedTo": None})

    follower = Follower(Session(transport=httpx.MockTransport(answer)).api, {})
    follower.begin(10)
    assert [len(follower.look()) for _look in range(20)] == [200] * 20
    assert len(follower._seen) <= 2_200


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        read_object('{"a":' * 100_000)


# --- where it goes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://abc.lambda-url.eu-central-1.on.aws/", "https://abc.lambda-url.eu-central-1.on.aws"),
        ("https://jobs.example.com/ops/v1/", "https://jobs.example.com/ops"),
        ("http://127.0.0.1:9000/jobs-api/", "http://127.0.0.1:9000/jobs-api"),
        ("http://localhost:9000", "http://localhost:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_a_url_is_read(given: str, url: str) -> None:
    assert checked_url(given) == url


@pytest.mark.parametrize(
    "given",
    ["https://a..b", "https://xn--.com", "https://münchen..de", f"https://{'a' * 64}.com",
     "", "api.example.com", "ftp://a.example.com", "https://", "https://u:p@a.example.com", "https://a/?key=x",
     "https://a/#x", "http://10.0.0.1", "http://localhost.example.com", "https://a b", "https://a:x/", "http://[::1"],
)  # fmt: skip
def test_what_is_no_url_or_an_unsafe_one_is_refused(given: str) -> None:
    with pytest.raises(Wrong):
        checked_url(given)


def running(url: str = "http://127.0.0.1:9000/jobs-api/") -> None:
    local.ENVIRONMENT.write_text(f"JOBS_API_URL='{url}'\nJOBS_API_KEY='ph_dev'\n")


def test_the_running_make_dev_is_found_with_its_own_key(shell: pytest.MonkeyPatch) -> None:
    shell.delenv("JOBS_API_URL")
    running()
    found = find_target()
    assert (found.url, found.key, found.name) == ("http://127.0.0.1:9000/jobs-api", "ph_dev", "make dev")


def test_what_is_named_goes_before_it_and_does_not_get_its_key(shell: pytest.MonkeyPatch) -> None:
    running()
    assert (find_target().url, find_target().key) == (URL, "ph_key")
    assert find_target("https://b.example.com").url == "https://b.example.com"
    shell.delenv("JOBS_API_KEY")
    assert find_target().key is None
    assert find_target("http://127.0.0.1:9000/jobs-api/v1").key == "ph_dev"


def test_without_any_it_says_how_to_have_one(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.delenv("JOBS_API_URL")
    code, _out, err = run(never, "list")
    assert code == 3
    assert all(way in err for way in ("make dev", "--env", "JOBS_API_URL"))
    local.ENVIRONMENT.write_text("DATABASE_URL='x'\n")
    assert "start it again" in run(never, "list")[2]


def test_a_make_dev_that_is_gone_is_told(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.delenv("JOBS_API_URL")
    running("http://127.0.0.1:1/jobs-api/")
    session = Session()
    assert main(["list"], session) == 3
    with pytest.raises(NotDone, match="start `make dev` again"):
        session.api.health()


def test_without_a_key_and_without_a_terminal_it_does_not_ask(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.delenv("JOBS_API_KEY")
    code, _out, err = run(never, "list")
    assert code == 4
    assert "set JOBS_API_KEY" in err
    shell.setenv("JOBS_API_KEY", "ph_ü x")
    assert run(never, "list")[0] == 4


def test_health_takes_no_key(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.delenv("JOBS_API_KEY")

    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return httpx.Response(503, json={"health": "unhealthy"})

    code, out, _err = run(answer, "health")
    assert (code, out) == (1, "unhealthy\n")


def test_a_key_given_to_make_as_an_argument_is_refused(run: Run, shell: pytest.MonkeyPatch) -> None:
    shell.setenv("MAKEFLAGS", " -- JOBS_API_KEY=ph_key ARGS=list")
    code, _out, err = run(never, "list")
    assert code == 2
    assert "process list" in err


def test_no_command_takes_a_key() -> None:
    for file in (ROOT / "infra" / "cli").rglob("*.py"):
        assert "--key" not in file.read_text("utf-8").replace("--idempotency-key", "")


# --- what is shown -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]8;;https://evil.example.com\x07click\x1b]8;;\x07", r"\x1b]8;;https://evil.example.com\x07click\x1b]8;;\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\rb\x08c", r"a\rb\x08c"),
        ("abc\u202edcb", r"abc\u202edcb"),
        ("zero\u200bwidth \ufeff", r"zero\u200bwidth \ufeff"),
        ("\ud800", r"\ud800"),
        ("[bold red]markup[/] :smile:", "[bold red]markup[/] :smile:"),
        ("Zoë 🏠 日本\n\tline", "Zoë 🏠 日本\n\tline"),
    ],
)  # fmt: skip
def test_no_terminal_obeys_what_is_shown(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_one_line_is_one() -> None:
    assert one_line("a\n b\r\n\tc\u2028d") == "a b c d"


COLUMNS = (
    Column("ID"),
    Column("TYPE", 1),
    Column("STATUS", coloured=True),
    Column("ERROR", 2, cut=True),
    Column("ORG", 3),
)
ROWS = [(JOB, "crm-match", "failed", "no such listing " * 4, ""), (JOB, "ping", "completed", "", "")]


@pytest.mark.parametrize(
    ("room", "titles"),
    [(1000, "ID TYPE STATUS ERROR"), (100, "ID TYPE STATUS ERROR"), (70, "ID TYPE STATUS"), (50, "ID STATUS"), (10, "ID STATUS")],
)  # fmt: skip
def test_a_table_leaves_out_what_there_is_no_room_for_and_never_cuts_an_id(room: int, titles: str) -> None:
    lines = [str(line) for line in laid_out(COLUMNS, ROWS, room, {"failed": "red"})]
    assert lines[0].split() == titles.split()
    assert all(line.startswith(JOB + "  ") for line in lines[1:])
    assert room < 50 or all(len(line) <= room for line in lines)
    assert ("…" in lines[1]) == (room == 100)
    assert all(line == line.rstrip() for line in lines)


def test_wide_letters_are_counted_as_the_terminal_does() -> None:
    lines = [str(line) for line in laid_out((Column("A"), Column("B")), [("日本", "x"), ("ab", "y")], 80, {})]
    assert lines[1:] == ["日本  x", "ab    y"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("send-emial", "did you mean send-email?"),
        ("clenupschedule", "did you mean CleanupSchedule?"),
        ("send", "did you mean send-email?"),
        ("zzz", "there are CleanupSchedule, send-email"),
    ],
)
def test_what_was_meant(given: str, words: str) -> None:
    assert nearest(given, ["send-email", "CleanupSchedule"]) == words


def test_json_is_ascii_so_that_nothing_in_it_is_obeyed(run: Run) -> None:
    hostile = {"type": "\x7f\x9b2J", "error": "\x1b[2J\u202e", "jobs": 1, "errorGroup": "a" * 32,
               "firstAt": "2026-01-01T00:00:00Z", "lastAt": "2026-01-01T00:00:00Z", "jobId": JOB}  # fmt: skip
    body: dict[str, Any] = {"groups": [hostile], "lookedAt": 1, "complete": True}
    code, out, _err = run(lambda _request: httpx.Response(200, json=body), "dead-letters", "--json")
    assert code == 0
    assert out.replace("\n", "").isprintable()
    assert out.isascii()
    assert json.loads(out) == body


# --- beside the API's document -------------------------------------------------------------------------------


def test_each_thing_that_the_api_does_has_a_command() -> None:
    document = json.loads((ROOT / "functions/jobs_api/openapi.json").read_text("utf-8"))
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "infra/cli").rglob("*.py"))
    asked = {re.sub(r"\{[^}]*\}", "{}", path) for path in re.findall(r'"(/(?:v1/|health)[^"]*)"', code)}
    asked |= {path.replace("/{}/{}", f"/{{}}/{verb}") for path in asked for verb in ("pause", "resume")}
    routes = {re.sub(r"\{[^}]*\}", "{}", path) for path in document["paths"]}
    assert routes - asked == set()


def test_each_filter_and_each_option_of_enqueue_is_there() -> None:
    assert {wire for wire, _kwargs in options._FILTERS.values()} == set(
        Filters.model_json_schema(by_alias=True)["properties"]
    )
    known = {each.name for each in enqueueing.enqueue_job.params}
    assert {*EnqueueRequest.model_fields} - {"type", "user_id", "organization_id"} <= known
    assert {"job_type", "user", "organization"} <= known
