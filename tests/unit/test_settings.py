"""The typed environment: what it takes, what it refuses, and that it names every fault at once."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import MissingSettings, PosthasteError
from shared.settings import (
    DatabaseSettings,
    DispatcherSettings,
    EmailSettings,
    Settings,
    WorkerSettings,
    check,
)

GROUPS = (DatabaseSettings, WorkerSettings, DispatcherSettings, EmailSettings)
COMPLETE = {
    "DATABASE_URL": "postgresql://",
    "QSTASH_TOKEN": "token",
    "QSTASH_CURRENT_SIGNING_KEY": "current",
    "QSTASH_NEXT_SIGNING_KEY": "next",
    "RESEND_API_KEY": "re_1",
    "MAIL_FROM": "us@example.com",
    "APP_URL": "https://app.example.com",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A complete environment and nothing else."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems(*groups: type[Settings]) -> tuple[str, ...]:
    with pytest.raises(MissingSettings) as caught:
        check(*groups)
    return caught.value.problems


def test_a_complete_environment_passes(environment: pytest.MonkeyPatch) -> None:
    check(*GROUPS)


def test_defaults_are_upstashs_and_the_designs(environment: pytest.MonkeyPatch) -> None:
    loaded = DispatcherSettings.load()
    assert loaded.qstash_url == "https://qstash.upstash.io"
    assert (loaded.max_retries, loaded.max_delay, loaded.delivery) == (5, 604_800, "qstash")
    assert (loaded.job_endpoints, loaded.job_endpoints_parameter) == (None, None)
    assert WorkerSettings.load().endpoint_url is None
    mail = EmailSettings.load()
    assert (mail.app_name, mail.resend_base_url) == ("Posthaste", "https://api.resend.com")


def test_variables_are_read_by_their_names(environment: pytest.MonkeyPatch) -> None:
    for name, value in {
        "QSTASH_URL": "http://127.0.0.1:8080/",
        "QSTASH_MAX_RETRIES": "3",
        "QSTASH_MAX_DELAY": "60",
        "JOB_ENDPOINTS": "{}",
        "JOB_ENDPOINTS_PARAMETER": "/jobs",
        "JOB_DELIVERY": "inline",
        "ENDPOINT_URL": "https://jobs.example.com/crm/",
    }.items():
        environment.setenv(name, value)
    loaded = DispatcherSettings.load()
    assert loaded.qstash_url == "http://127.0.0.1:8080"
    assert (loaded.max_retries, loaded.max_delay, loaded.delivery) == (3, 60, "inline")
    assert (loaded.job_endpoints, loaded.job_endpoints_parameter) == ("{}", "/jobs")
    assert WorkerSettings.load().endpoint_url == "https://jobs.example.com/crm"


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("empty", [False, True], ids=["unset", "empty"])
def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch, name: str, empty: bool) -> None:
    if empty:
        environment.setenv(name, "")
    else:
        environment.delenv(name)
    (problem,) = problems(*GROUPS)
    assert problem.startswith(f"{name} is missing")


def test_an_empty_optional_variable_is_its_default(environment: pytest.MonkeyPatch) -> None:
    for name in ("QSTASH_URL", "QSTASH_MAX_RETRIES", "JOB_DELIVERY", "ENDPOINT_URL", "APP_NAME"):
        environment.setenv(name, "")
    assert DispatcherSettings.load().max_retries == 5
    assert EmailSettings.load().app_name == "Posthaste"


@pytest.mark.parametrize(
    ("arn", "entries"),
    [
        ("DATABASE_SECRET_ARN", ["DATABASE_URL"]),
        ("QSTASH_SECRET_ARN", ["QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"]),
        ("RESEND_SECRET_ARN", ["RESEND_API_KEY"]),
    ],
)
def test_a_secrets_name_stands_for_its_entries(
    environment: pytest.MonkeyPatch, arn: str, entries: list[str]
) -> None:
    for entry in entries:
        environment.delenv(entry)
    expected = {f"{entry} is missing (or {arn}, the secret that holds it)" for entry in entries}
    assert set(problems(*GROUPS)) == expected
    environment.setenv(arn, "arn:aws:secretsmanager:eu-central-1:1:secret:x")
    check(*GROUPS)


@pytest.mark.parametrize(
    ("group", "name", "value", "says"),
    [
        (DispatcherSettings, "QSTASH_URL", "qstash.upstash.io", "absolute http(s) URL"),
        (DispatcherSettings, "QSTASH_URL", "ftp://qstash", "absolute http(s) URL"),
        (DispatcherSettings, "QSTASH_MAX_RETRIES", "many", "valid integer"),
        (DispatcherSettings, "QSTASH_MAX_RETRIES", "0", "greater than 0"),
        (DispatcherSettings, "QSTASH_MAX_DELAY", "-1", "greater than 0"),
        (DispatcherSettings, "QSTASH_MAX_DELAY", "1.5", "valid integer"),
        (DispatcherSettings, "JOB_DELIVERY", "eventually", "'qstash' or 'inline'"),
        (WorkerSettings, "ENDPOINT_URL", "/relative", "absolute http(s) URL"),
        (EmailSettings, "APP_URL", "app.example.com", "absolute http(s) URL"),
        (EmailSettings, "RESEND_API_URL", "javascript:alert(1)", "absolute http(s) URL"),
    ],
)
def test_a_malformed_variable_is_named_and_what_would_be_right(
    environment: pytest.MonkeyPatch, group: type[Settings], name: str, value: str, says: str
) -> None:
    environment.setenv(name, value)
    (problem,) = problems(group)
    assert problem.startswith(f"{name}: ")
    assert says in problem
    with pytest.raises(MissingSettings, match=name):
        group.load()


def test_every_problem_of_every_group_is_named_once(environment: pytest.MonkeyPatch) -> None:
    for name in COMPLETE:
        environment.delenv(name)
    environment.setenv("QSTASH_MAX_RETRIES", "many")
    found = problems(*GROUPS, WorkerSettings)
    assert sorted(each.split()[0].rstrip(":") for each in found) == sorted([*COMPLETE, "QSTASH_MAX_RETRIES"])


def test_the_message_is_one_line_that_says_where_to_look(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("MAIL_FROM")
    environment.delenv("APP_URL")
    with pytest.raises(PosthasteError) as caught:
        EmailSettings.load()
    assert str(caught.value) == (
        "the environment is incomplete: MAIL_FROM is missing; APP_URL is missing "
        "(.env.example describes each variable)"
    )


def test_a_malformed_secret_value_is_not_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QSTASH_URL", "s3cret-pasted-into-the-wrong-line")
    assert "s3cret" not in "".join(problems(DispatcherSettings))


@pytest.mark.parametrize("field", ["max_retries", "qstash_url"])
def test_settings_cannot_be_changed(environment: pytest.MonkeyPatch, field: Any) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(DispatcherSettings.load(), field, 1)
