import math

import pytest

from infra.local.qstash.delivery.backoff import chosen_wait, default_wait, requested_wait
from infra.local.qstash.wire.destinations import split_query
from infra.local.qstash.wire.durations import parse_duration
from infra.local.qstash.wire.expressions import check_expression, evaluate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1h30m", 5400),
        ("1d10h30m", 124_200),
        ("0", 0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("6m5s", 365),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("60", 'time: missing unit in duration "60"'),
        ("", "invalid duration"),
        ("-5s", "invalid duration"),
        ("5x", 'unknown unit "x"'),
        ("s5", "invalid duration"),
        ("9" * 400 + "s", "invalid duration"),
    ],
)
def test_bad_durations(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_duration(text)


def test_the_default_backoff() -> None:
    waits = [default_wait(retry) for retry in (1, 2, 3, 4, 5, 6, 5000)]
    assert waits == [12, 2 * 60 + 28, 30 * 60 + 8, 6 * 3600 + 7 * 60 + 6, 86_400, 86_400, 86_400]


@pytest.mark.parametrize(
    ("expression", "retried", "value"),
    [
        ("1000", 0, 1000),
        ("1000 * (1 + retried)", 2, 3000),
        ("pow(2, retried)", 3, 8),
        ("max(10, pow(2, retried))", 2, 10),
        ("min(5, 3, 4)", 0, 3),
        ("sqrt(16) + abs(-3) + floor(1.9) + ceil(1.1) + round(2.4)", 0, 12),
        ("exp(0)", 0, 1),
        ("7 % 4 / 2 - 1", 0, 0.5),
        ("0 - 5", 0, 0),
        ("pow(10, 999)", 0, math.inf),
        ("1 / retried", 0, math.inf),
    ],
)
def test_expressions(expression: str, retried: int, value: float) -> None:
    check_expression(expression)
    assert evaluate(expression, retried) == pytest.approx(value)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')", "retried.real", "other", "pow(2)", "sqrt(1, 2)", "min()", "1 +", "", "'1'", "True", "1 if 1 else 2",
        "2 ** 3", "[1]", "max(*[1])", "pow(2, b=3)", "(lambda: 1)()", "1j", "-" * 5000 + "1", "(" * 150, "not 1", "1\0",
    ],
)  # fmt: skip
def test_bad_expressions(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_expression(expression)


def test_an_expression_without_a_value_falls_back_to_the_default() -> None:
    assert chosen_wait("sqrt(0 - 1)", 0) == default_wait(1)


def test_an_expression_waits_a_day_at_most() -> None:
    assert chosen_wait("pow(10, 100)", 0) == 86_400


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": ["7"]}, 7),
        ({"Retry-After": ["0"]}, 0),
        ({"Retry-After": ["6m5s"]}, 365),
        ({"Retry-After": ["Tue, 14 Nov 2023 22:13:50 GMT"]}, 30),
        ({"Retry-After": ["Tue, 14 Nov 2023 22:00:00 GMT"]}, 0),
        ({"X-Ratelimit-Reset": ["9"]}, 9),
        ({"X-Ratelimit-Reset-Requests": ["1m"]}, 60),
        ({"X-Ratelimit-Reset-Tokens": ["250ms"]}, 0.25),
        ({"Retry-After": ["3"], "X-Ratelimit-Reset": ["9"]}, 3),
        ({"Retry-After": ["soon"], "X-Ratelimit-Reset": ["9"]}, 9),
        ({"Retry-After": ["86400"]}, 86_400),
        ({"Retry-After": ["86401"]}, None),
        ({"X-Ratelimit-Reset": ["1700000000"]}, None),
        ({"Retry-After": [""]}, None),
        ({"Retry-After": ["-1"]}, None),
        ({}, None),
    ],
)
def test_what_a_response_asks_to_wait(headers: dict[str, list[str]], wait: float | None) -> None:
    assert requested_wait(headers, now=1_700_000_000.0) == wait


def test_a_query_is_shared_between_destination_and_api() -> None:
    theirs, ours = split_query("b=%2F&Upstash-Delay=1%30s&a=1&a=2&qstash_token=x%3D&empty")
    assert theirs == "b=%2F&a=1&a=2&empty"
    assert ours == [("Upstash-Delay", "10s"), ("qstash_token", "x=")]
