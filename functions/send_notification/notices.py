"""The words of each notice, from its template beside this file, for the app and for the mail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from functions.send_notification.recipients import Recipient
from shared.emails.data import ApplicationReminderData, EmailData, NotificationData
from shared.emails.wording import calendar_day, fit, moment
from shared.jobs.send_notification import (
    ApplicationReceived,
    ApplicationReminder,
    SendNotification,
    TemplateData,
)

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(
        ["html"]
    ),  # these are plain text: the mail's HTML escapes it, and so must an app's page
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters.update(calendar_day=calendar_day, moment=moment)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a notice leads, and what the button says."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice in its forms: subject and body for the app (plain text, a blank line between paragraphs), and the mail."""

    subject: str
    body: str
    link: Link | None
    mail: EmailData


def compose(payload: SendNotification, recipient: Recipient) -> Notice:
    """The notice that a payload describes; the same one each time.

    The app's text of an adverse action leaves the credit score out: it is kept in the application's tables, and only
    the mail is for the applicant's eyes alone.
    """
    data = payload.template_data
    words = _Words(re.sub("([A-Z])", r"_\1", data.template.value).lower(), data, recipient)
    link = _link(data)
    return Notice(words.subject(), words.body(in_full=False), link, _mail(data, recipient, words, link))


class _Words:
    """One template, filled in."""

    def __init__(self, name: str, data: TemplateData, recipient: Recipient) -> None:
        self._template = _ENVIRONMENT.get_template(f"{name}.txt")
        self._context = {"data": data, "recipient": recipient}

    def subject(self) -> str:
        return fit(self._block("subject"))

    def body(self, *, in_full: bool) -> str:
        return re.sub(r"\n{3,}", "\n\n", self._block("body", in_full=in_full)).strip()

    def _block(self, name: str, **more: Any) -> str:
        return "".join(self._template.blocks[name](self._template.new_context(self._context | more)))


def _link(data: TemplateData) -> Link | None:
    match data:
        case ApplicationReminder():
            return Link("Continue application", data.continue_url)
        case ApplicationReceived():
            return Link("See application", data.application_url)
    return None


def _mail(data: TemplateData, recipient: Recipient, words: _Words, link: Link | None) -> EmailData:
    if isinstance(data, ApplicationReminder):
        return ApplicationReminderData(name=recipient.name, **data.model_dump())
    return NotificationData(
        title=words.subject(),
        paragraphs=words.body(in_full=True).split("\n\n"),
        action_label=link and link.label,
        action_url=link and link.url,
    )
