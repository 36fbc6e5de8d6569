"""From a payload to a mail: subject, HTML and plain text, each from its own words in `templates/`.

The same payload always gives the same mail (no clock, nothing random): a retry with the idempotency key of an
earlier attempt must carry the same body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from shared.emails.data import EmailTemplate
from shared.emails.wording import day, file_size, moment, money, number
from shared.jobs.send_email import SendEmail
from shared.settings import EmailSettings

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters.update(day=day, file_size=file_size, moment=moment, money=money, number=number)


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """A mail in both its forms; the subject is one line."""

    subject: str
    html: str
    text: str


def render(email: SendEmail) -> RenderedEmail:
    """The mail that a payload describes.

    Raises MissingSettings where APP_URL or another variable of EmailSettings is missing.

        >>> render(SendEmail(to="ada@example.com", data=WelcomeData(name="Ada"))).subject  # doctest: +SKIP
        'Welcome to Posthaste'
    """
    settings = EmailSettings.load()
    context: dict[str, object] = {
        "app_name": settings.app_name,
        "app_url": settings.app_url,
        "to": email.to,
        "data": email.data,
    }
    html, text = _templates(email.template)
    subject = _one_line(_block(text, "subject", context))
    return RenderedEmail(
        subject=subject,
        html=html.render(context, subject=subject),
        text=_without_wide_gaps(text.render(context)),
    )


def _templates(template: EmailTemplate) -> tuple[Template, Template]:
    stem = re.sub("([A-Z])", r"_\1", template.value).lower()
    return _ENVIRONMENT.get_template(f"{stem}.html"), _ENVIRONMENT.get_template(f"{stem}.txt")


def _block(template: Template, name: str, context: dict[str, object]) -> str:
    return "".join(template.blocks[name](template.new_context(context)))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _without_wide_gaps(text: str) -> str:
    """At most one blank line in a row: what an optional sentence leaves behind must not show."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
