"""Rendering: every template with friendly and hostile data, and what importing `shared.emails` costs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any
from uuid import UUID, uuid4

import pytest

import shared.emails
from shared.dispatcher import enqueue
from shared.emails import enqueueing
from shared.emails.rendering import RenderedEmail, render
from shared.envelope import Payload
from shared.errors import InvalidJob
from shared.jobs.send_email import SendEmail, WelcomeData
from tests.sample_emails import DATA, TEMPLATES, TEXTS, sample, wire

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    'Zoë "Zed" O\'Neil & 李 👩‍💻',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_FROM", "Acme <hello@example.com>")
    monkeypatch.setenv("APP_URL", "https://example.com/")
    monkeypatch.setenv("APP_NAME", "Acme")
    monkeypatch.setenv("RESEND_API_KEY", "re_test")


class Page(HTMLParser):
    """What a mail client makes of a mail: its tags, links and words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.words += data


def rendered(template: str, **changes: Any) -> RenderedEmail:
    return render(SendEmail(**wire(template, **changes)))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_mail_has_all_its_parts(template: str) -> None:
    mail = rendered(template)

    assert mail.subject
    assert "Acme" in mail.html
    assert f"<title>{mail.subject}</title>" in mail.html
    assert mail.text.endswith(".\n")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_mail_says_all_it_was_given(template: str) -> None:
    mail = rendered(template)
    page = Page(mail.html)

    for field in TEXTS[template]:
        assert sample(template, field) in page.words, field
        assert sample(template, field) in mail.text, field
    for field, value in DATA[template].items():
        if field.endswith("Url"):
            assert value in page.links, field
            assert value in mail.text, field


@pytest.mark.parametrize("template", TEMPLATES)
def test_optional_data_may_be_missing(template: str) -> None:
    optional = [
        name
        for name, field in type(SendEmail(**wire(template)).data).model_fields.items()
        if not field.is_required()
    ]
    data = SendEmail(**wire(template)).data.model_dump(exclude=set(optional))
    mail = render(SendEmail(to="ada@example.com", template=template, data=data))

    assert "None" not in mail.html + mail.text
    assert "\n\n\n" not in mail.text
    assert "from ." not in mail.text


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("template", TEMPLATES)
def test_hostile_data_stays_text(template: str, hostile: str) -> None:
    calm = Page(rendered(template).html)
    mail = rendered(template, **dict.fromkeys(TEXTS[template], hostile))
    page = Page(mail.html)

    assert page.tags == calm.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in calm.attributes]
    assert page.links == calm.links
    assert hostile in page.words
    assert hostile in mail.text
    assert "\n" not in mail.subject


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_link_is_absolute(template: str) -> None:
    page = Page(rendered(template).html)

    assert page.links
    assert all(re.match("https?://[^/]", link) for link in page.links)
    assert not {"img", "script", "link", "iframe", "form"} & set(page.tags)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_text_holds_no_html(template: str) -> None:
    text = rendered(template, **dict.fromkeys(TEXTS[template], 'O\'Neil & "Söhne"')).text

    assert not re.search(r"&(#\w+|[a-zA-Z]+);|<[a-z/]", text)
    assert all(line == line.rstrip() or line == "-- " for line in text.splitlines())


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_two_paragraphs_of_the_text_run_together(template: str) -> None:
    for paragraph in rendered(template).text.split("\n\n"):
        sentences = [line for line in paragraph.splitlines() if line.endswith(".")]
        assert len(sentences) <= 1 or all(line.startswith("- ") for line in sentences)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_mail_is_the_same_each_time(template: str) -> None:
    assert rendered(template) == rendered(template)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_mail_fits_clients(template: str) -> None:
    html = rendered(template).html

    assert all(int(width) <= 600 for width in re.findall(r'(?:max-width:|width=")(\d+)(?:px|")', html))
    assert len(html.encode()) < 100_000  # Gmail cuts off what is longer than 102 kB
    assert "prefers-color-scheme: dark" in html
    assert html.count("<table") == html.count('role="presentation"')


def test_the_welcome_button_falls_back_to_the_application() -> None:
    assert "https://example.com" in Page(rendered("welcome", getStartedUrl=None).html).links


@pytest.mark.parametrize(
    ("template", "subject"),
    [
        ("welcome", "Welcome to Acme"),
        ("passwordReset", "Reset your Acme password"),
        ("passwordChanged", "Your Acme password was changed"),
        ("emailChange", "Confirm your new email address for Acme"),
        ("teamInvitation", "Grace Hopper invited you to Compilers"),
        ("subscriptionCreated", "Your Team trial has started"),
        ("paymentFailed", "Your payment of $29.00 for Team failed"),
        ("exportReady", "Your export is ready: Activity log"),
        ("reportReady", "Revenue report: April 2026"),
        ("leadMatches", "12 leads fit Two bedrooms on Elm Street"),
        ("applicationReminder", "Your application for Two bedrooms on Elm Street is not complete yet"),
        ("notification", "Your viewing is confirmed"),
    ],
)
def test_subjects(template: str, subject: str) -> None:
    assert rendered(template).subject == subject


def test_a_subscription_without_trial() -> None:
    mail = rendered("subscriptionCreated", trialEndsAt=None)

    assert mail.subject == "Your Team subscription is active"
    assert "trial" not in mail.html + mail.text
    assert "Renews: 1 May 2026" in mail.text


def test_one_lead_that_fits() -> None:
    mail = rendered("leadMatches", total=1, matches=DATA["leadMatches"]["matches"][:1])

    assert mail.subject == "One lead fits Two bedrooms on Elm Street"
    assert "See the listing" in mail.html
    assert "See the listing" in mail.text
    assert "fit best" not in mail.html + mail.text


def test_an_application_that_only_waits_to_be_handed_in() -> None:
    mail = rendered("applicationReminder", missing=[])

    assert "hand it in" in mail.html
    assert "hand it in" in mail.text
    assert "missing" not in mail.html + mail.text


def test_paragraphs_keep_their_line_breaks_and_stay_text() -> None:
    mail = rendered("notification", **{"paragraphs.1": "<b>1</b> Elm Street\nSpringfield"})

    assert "&lt;b&gt;1&lt;/b&gt; Elm Street<br>Springfield" in mail.html
    assert "<b>1</b> Elm Street\nSpringfield\n" in mail.text


def test_a_paragraph_has_no_blank_line() -> None:
    mail = rendered("notification", **{"paragraphs.1": "12 Elm Street \n\n  \nSpringfield"})

    assert "12 Elm Street<br>Springfield" in mail.html


def test_a_notification_without_a_button() -> None:
    mail = rendered("notification", actionLabel=None, actionUrl=None)

    assert Page(mail.html).links == ["https://example.com"]
    assert "None" not in mail.html + mail.text


def test_every_function_is_exported() -> None:
    for template in TEMPLATES:
        stem = re.sub("([A-Z])", r"_\1", template).lower()
        assert getattr(shared.emails, f"send_{stem}").kind.template == template
        assert getattr(shared.emails, f"enqueue_{stem}").kind.template == template
    for name in shared.emails.__all__:
        assert getattr(shared.emails, name) is not None
    with pytest.raises(AttributeError, match="send_goodbye"):
        shared.emails.send_goodbye  # noqa: B018


def test_enqueue_functions_hand_everything_to_the_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Payload, dict[str, Any]]] = []

    def note(payload: Payload, **options: Any) -> UUID:
        calls.append((payload, options))
        return uuid4()

    monkeypatch.setattr(enqueueing, "enqueue", note)
    data = WelcomeData(name="Ada")
    shared.emails.enqueue_welcome("ada@example.com", data, reply_to="help@example.com", user_id=7, delay=60)

    expected = SendEmail(to="ada@example.com", data=data, reply_to="help@example.com")
    assert calls == [(expected, {"user_id": 7, "delay": 60})]


def test_enqueue_functions_take_what_enqueue_takes() -> None:
    options = inspect.signature(enqueue).parameters.values()

    assert {each.name for each in options if each.kind is each.KEYWORD_ONLY} == set(
        enqueueing.EnqueueOptions.__annotations__
    )


def test_another_mails_data_is_refused() -> None:
    with pytest.raises(InvalidJob, match="instance of PasswordResetData"):
        shared.emails.enqueue_password_reset("ada@example.com", WelcomeData(name="Ada"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import shared.emails", ["resend", "jinja2", "boto3", "qstash", "requests", "psycopg", "pydantic"]),
        ("from shared.emails import WelcomeData", ["resend", "jinja2", "boto3", "qstash", "psycopg"]),
        ("from shared.emails import enqueue_welcome", ["resend", "jinja2", "boto3"]),
        ("from shared.emails import send_welcome", ["boto3", "qstash", "psycopg", "shared.dispatcher"]),
    ],
)
def test_imports_only_what_is_used(statement: str, absent: list[str]) -> None:
    program = f"{statement}; import sys; print([name for name in {absent} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
