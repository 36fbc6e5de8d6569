"""SendEmail: template and data are checked together, strictly at enqueue and tolerantly in workers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from shared.envelope import problems
from shared.errors import InvalidJob
from shared.jobs.send_email import EmailTemplate, PasswordResetData, SendEmail, WelcomeData
from shared.registry import JobType, get_job_config
from tests.sample_emails import DATA, TEMPLATES, TEXTS, URLS, sample, wire


def to_wire(email: SendEmail) -> dict[str, Any]:
    return email.model_dump(mode="json", by_alias=True)


def refused(payload: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidJob) as error:
        SendEmail(**payload)
    return dict(error.value.problems)


def test_the_registry_finds_it() -> None:
    assert get_job_config(JobType.SEND_EMAIL).payload is SendEmail


def test_there_is_a_sample_of_every_template() -> None:
    assert set(DATA) == {each.value for each in EmailTemplate}


@pytest.mark.parametrize("template", TEMPLATES)
def test_survives_the_wire(template: str) -> None:
    email = SendEmail(**wire(template))

    assert email.data.template == email.template == template
    assert SendEmail.model_validate(to_wire(email)) == email
    assert set(to_wire(email)["data"]) == set(DATA[template])


def test_the_wire_form() -> None:
    email = SendEmail(
        to="ada@example.com",
        data=PasswordResetData(
            name="Ada", reset_url="https://example.com/r", expires_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
        ),
        reply_to="help@example.com",
    )

    assert to_wire(email) == {
        "to": "ada@example.com",
        "template": "passwordReset",
        "data": {
            "name": "Ada",
            "resetUrl": "https://example.com/r",
            "expiresAt": "2026-05-01T09:30:00Z",
            "requestedFrom": None,
        },
        "replyTo": "help@example.com",
    }


def test_typed_data_names_its_template() -> None:
    email = SendEmail(to="ada@example.com", data=WelcomeData(name="Ada"))

    assert email.template is EmailTemplate.WELCOME
    assert email == SendEmail(to="ada@example.com", template="welcome", data={"name": "Ada"})


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("other", TEMPLATES)
def test_another_templates_data_is_refused(template: str, other: str) -> None:
    if template != other:
        assert any(field.startswith("data.") for field in refused(wire(template) | {"data": DATA[other]}))


def test_another_templates_typed_data_is_refused() -> None:
    found = refused({"to": "a@example.com", "template": "passwordReset", "data": WelcomeData(name="Ada")})

    assert found == {"data": "Input should be a valid dictionary or instance of PasswordResetData"}


@pytest.mark.parametrize(
    ("payload", "field", "what"),
    [
        ({"template": "goodbye"}, "template", "Input should be 'welcome', 'passwordReset', "),
        ({"template": None}, "template", "Input should be 'welcome', "),
        ({"data": {}}, "data.name", "Field required"),
        ({"data": {"name": "Ada", "age": 36}}, "data.age", "Extra inputs are not permitted"),
        ({"data": {"name": "Ada", "template": "welcome"}}, "data.template", "Extra inputs are not permitted"),
        ({"data": "Ada"}, "data", "Input should be a valid dictionary"),
        ({"cc": "b@example.com"}, "cc", "Extra inputs are not permitted"),
        ({"replyTo": "nobody"}, "replyTo", "value is not a valid email address"),
    ],
)
def test_the_error_names_the_field(payload: dict[str, Any], field: str, what: str) -> None:
    found = refused(wire("welcome") | payload)

    assert list(found) == [field]
    assert found[field].startswith(what)


def test_without_template_a_dict_is_refused() -> None:
    assert list(refused({"to": "ada@example.com", "data": {"name": "Ada"}})) == ["template"]


def test_all_problems_are_told_at_once() -> None:
    found = refused({"to": "nobody", "template": "passwordReset", "data": {"name": ""}})

    assert set(found) == {"to", "data.name", "data.resetUrl", "data.expiresAt"}


@pytest.mark.parametrize(
    "address",
    ["", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "ada@example.com\nBcc: x@y.zz"],
)
def test_no_address(address: str) -> None:
    assert list(refused(wire("welcome") | {"to": address})) == ["to"]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 101,
        "Ada\nBcc: x@example.com",
        "Ada\rX",
        "A\x00da",
        "A\x1bda",
        "Ada\u2028X",
        "\u202emoc.live",
        7,
    ],
)
def test_a_text_is_one_bounded_line(template: str, text: Any) -> None:
    for field in TEXTS[template]:
        assert list(refused(wire(template, **{field: text}))) == [f"data.{field}"]


@pytest.mark.parametrize(
    "text", ["José María", "李小龍", "نِدا", "👩‍💻 Ada", "O'Neil & Söhne <AG>", "x" * 100]
)
def test_a_text_may_be_any_name(text: str) -> None:
    assert SendEmail(**wire("welcome", name=f" {text} ")).data.model_dump()["name"] == text


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "url",
    [
        "",
        "/reset",
        "example.com/reset",
        "//example.com/reset",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com/",
        "https://",
        "https://example.com/a b",
        "https://exa\nmple.com/",
        "https://example.com/" + "x" * 4096,
    ],
)
def test_a_url_is_absolute_and_bounded(template: str, url: str) -> None:
    for field in URLS[template]:
        assert list(refused(wire(template, **{field: url}))) == [f"data.{field}"]


@pytest.mark.parametrize("count", [-1, 1.5, "12", True, None, 2**53 + 1])
@pytest.mark.parametrize(
    ("template", "field"), [("exportReady", "rows"), ("exportReady", "size"), ("leadMatches", "total")]
)
def test_a_count_is_whole_and_exact_in_json(template: str, field: str, count: Any) -> None:
    assert list(refused(wire(template, **{field: count}))) == [f"data.{field}"]


@pytest.mark.parametrize("score", [-1, 101, 99.5, "99"])
def test_a_score_is_0_to_100(score: Any) -> None:
    assert list(refused(wire("leadMatches", **{"matches.1.score": score}))) == ["data.matches.1.score"]


@pytest.mark.parametrize(
    ("template", "field", "items"),
    [
        ("reportReady", "highlights", ["Up."] * 6),
        ("leadMatches", "matches", []),
        ("leadMatches", "matches", [sample("leadMatches", "matches.0")] * 11),
        ("applicationReminder", "missing", ["ID"] * 21),
        ("notification", "paragraphs", []),
        ("notification", "paragraphs", ["Hello"] * 21),
    ],
)
def test_a_list_is_bounded(template: str, field: str, items: list[Any]) -> None:
    assert list(refused(wire(template, **{field: items}))) == [f"data.{field}"]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2001, "A\x00da", "A\rB", "A\u2028B", "\u202emoc.live", 7])
def test_a_paragraph_is_bounded_and_has_only_line_breaks(text: Any) -> None:
    assert list(refused(wire("notification", **{"paragraphs.0": text}))) == ["data.paragraphs.0"]


@pytest.mark.parametrize("field", ["actionLabel", "actionUrl"])
def test_a_button_has_a_label_and_a_url(field: str) -> None:
    assert refused(wire("notification", **{field: None})) == {"data": "actionLabel and actionUrl go together"}


def test_a_url_is_encoded_and_keeps_its_token() -> None:
    email = SendEmail(**wire("passwordReset", resetUrl='https://exämple.com/r?t=a%2Fb+c=="><b>&n=1#top'))

    assert isinstance(email.data, PasswordResetData)
    assert email.data.reset_url == "https://xn--exmple-cua.com/r?t=a%2Fb+c==%22%3E%3Cb%3E&n=1#top"


@pytest.mark.parametrize("amount", [-1, 29.0, "2900", True, None, 10**13])
def test_an_amount_is_whole_minor_units(amount: Any) -> None:
    assert list(refused(wire("paymentFailed", amount=amount))) == ["data.amount"]


@pytest.mark.parametrize("currency", ["", "US", "USDT", "U$D", "€", "usd\n"])
def test_a_currency_is_an_iso_code(currency: str) -> None:
    assert list(refused(wire("paymentFailed", currency=currency))) == ["data.currency"]


def test_a_currency_may_come_as_stripe_writes_it() -> None:
    assert to_wire(SendEmail(**wire("paymentFailed", currency="eur")))["data"]["currency"] == "EUR"


@pytest.mark.parametrize("at", ["2026-05-01T09:30:00", "tomorrow", None])
def test_a_date_knows_its_time_zone(at: str | None) -> None:
    assert list(refused(wire("passwordReset", expiresAt=at))) == ["data.expiresAt"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_workers_ignore_unknown_fields_everywhere(template: str) -> None:
    newer = wire(template, addedLater={"deep": [1]}) | {"addedLater": True}

    assert SendEmail.model_validate(newer, extra="ignore") == SendEmail(**wire(template))
    assert set(refused(newer)) == {"addedLater", "data.addedLater"}


def test_workers_still_name_the_wrong_field() -> None:
    with pytest.raises(ValidationError) as error:
        SendEmail.model_validate(wire("welcome", name=None, addedLater=1), extra="ignore")

    assert problems(error.value) == [("data.name", "Input should be a valid string")]


def test_errors_and_reprs_keep_tokens_to_themselves() -> None:
    email = SendEmail(**wire("passwordReset"))
    with pytest.raises(ValidationError) as error:
        SendEmail.model_validate(wire("passwordReset", resetUrl="token-3q2 7w"))

    assert "eyJhbGciOiJIUzI1NiJ9" not in repr(email)
    assert "token-3q2" not in str(error.value)


def test_error_messages_are_taken_literally() -> None:
    found = refused(wire("emailChange", oldEmail="{x}@{y}"))

    assert found["data.oldEmail"].startswith("value is not a valid email address")
