"""A function URL's event as the request that was sent."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.requests import Request, parse

STANDARD = settings(max_examples=150, deadline=None)
DOMAIN = "abc123.lambda-url.eu-central-1.on.aws"


def event(**changes: Any) -> dict[str, Any]:
    """An event of payload format 2.0."""
    made: dict[str, Any] = {
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "upstash-signature": "a.b.c"},
        "requestContext": {"domainName": DOMAIN, "http": {"method": "POST", "path": "/"}},
        "body": "{}",
        "isBase64Encoded": False,
    }
    return made | changes


def test_an_event_is_the_request_it_was() -> None:
    assert parse(event()) == Request(
        method="POST",
        url=f"https://{DOMAIN}/",
        headers={"content-type": "application/json", "upstash-signature": "a.b.c"},
        body=b"{}",
    )


@pytest.mark.parametrize(
    ("path", "query", "endpoint_url", "url"),
    [
        ("/", "", None, f"https://{DOMAIN}/"),
        ("", "", None, f"https://{DOMAIN}/"),
        (None, None, None, f"https://{DOMAIN}/"),
        ("/a/b", "", None, f"https://{DOMAIN}/a/b"),
        ("/a%20b", "c=%2F&d", None, f"https://{DOMAIN}/a%20b?c=%2F&d"),
        ("//", "", None, f"https://{DOMAIN}//"),
        ("/", "", "https://jobs.example.com", "https://jobs.example.com/"),
        ("/", "", "https://jobs.example.com/", "https://jobs.example.com/"),
        ("/a", "b=1", "https://jobs.example.com/crm", "https://jobs.example.com/crm/a?b=1"),
    ],
)
def test_the_url_is_the_one_the_sender_used(
    path: str | None, query: str | None, endpoint_url: str | None, url: str
) -> None:
    assert parse(event(rawPath=path, rawQueryString=query), endpoint_url).url == url


@STANDARD
@given(st.binary(max_size=200))
def test_a_base64_body_is_its_exact_bytes(body: bytes) -> None:
    assert parse(event(body=base64.b64encode(body).decode(), isBase64Encoded=True)).body == body


@STANDARD
@given(st.text(max_size=100))
def test_a_text_body_is_utf_8(body: str) -> None:
    assert parse(event(body=body)).body == body.encode()


@pytest.mark.parametrize("body", ["%%%", "YQ", "YQ=", "Y Q = =", "ü", "YQ==\n"])
def test_a_body_that_is_no_base64_is_empty_so_that_no_signature_fits(body: str) -> None:
    assert parse(event(body=body, isBase64Encoded=True)).body == b""


@pytest.mark.parametrize("encoded", [False, True])
def test_no_body_is_empty(encoded: bool) -> None:
    without = event(isBase64Encoded=encoded)
    del without["body"]
    assert parse(without).body == parse(event(body=None, isBase64Encoded=encoded)).body == b""


def test_header_names_are_lower_case() -> None:
    assert parse(event(headers={"Upstash-Signature": "X.Y.Z", "N": 5})).headers == {
        "upstash-signature": "X.Y.Z",
        "n": "5",
    }


JSON: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just([]) | st.just({})
)
OBJECTS: st.SearchStrategy[Any] = (
    st.none() | st.just({}) | st.dictionaries(st.text(max_size=5), JSON, max_size=2)
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "rawPath": st.none() | st.text(max_size=9),
        "rawQueryString": st.none() | st.text(max_size=9),
        "headers": OBJECTS,
        "requestContext": st.none()
        | st.fixed_dictionaries(
            {}, optional={"domainName": st.none() | st.text(max_size=9), "http": OBJECTS}
        ),
        "body": st.none() | st.text(max_size=20),
        "isBase64Encoded": st.none() | st.booleans(),
    },
)


@STANDARD
@given(EVENTS)
def test_whatever_the_event_lacks_it_is_a_request(made: dict[str, Any]) -> None:
    read = parse(made)
    assert isinstance(read.body, bytes)
    assert read.url.startswith("https:")
    assert all(name == name.lower() for name in read.headers)


@pytest.mark.parametrize("body", ["\ud800", "a\udfffb"])
def test_half_a_character_in_the_body_is_no_error_of_ours(body: str) -> None:
    """JSON may hold an escaped lone surrogate; no signature fits what it is read as."""
    assert isinstance(parse(event(body=body)).body, bytes)
