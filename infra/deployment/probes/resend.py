"""Resend must know the key, and the sender's domain."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

import resend
from resend.exceptions import ResendError
from resend.http_client_requests import RequestsClient

from infra.deployment.probes.wrong import Works, Wrong

_SHAPE = re.compile(r"re_[A-Za-z0-9_]+")
_SECONDS = 10


def probe_resend(key: str, mail_from: str) -> Works:
    """Ask for the account's domains. Raises Wrong for a key that Resend does not know or a domain it may not send from.

    A key that may only send cannot be asked; that Resend does not answer is a warning, for it says nothing of the key.
    """
    if not _SHAPE.fullmatch(key):
        raise Wrong(
            "RESEND_API_KEY does not look like a key",
            "it begins with re_: copy it again from resend.com/api-keys",
        )
    try:
        return _judge(_domains(key), parseaddr(mail_from)[1].rpartition("@")[2])
    except ResendError as error:
        if error.error_type == "restricted_api_key":
            return Works("a key that may only send, so the sender's domain could not be checked")
        if str(error.code) in {"400", "401", "403"}:
            raise Wrong(
                f"Resend refuses RESEND_API_KEY ({error.message})", "make a new one at resend.com/api-keys"
            ) from None
        return Works("not checked", [f"Resend does not answer: {error.message}"])


def _domains(key: str) -> Sequence[Any]:
    before = resend.api_key, resend.api_url, resend.default_http_client
    resend.api_key = key
    resend.api_url = os.environ.get("RESEND_API_URL") or before[1]
    resend.default_http_client = RequestsClient(timeout=_SECONDS)
    try:
        return list(resend.Domains.list()["data"])
    finally:
        resend.api_key, resend.api_url, resend.default_http_client = before


def _judge(domains: Sequence[Any], wanted: str) -> Works:
    statuses = {str(each["name"]).lower(): str(each["status"]) for each in domains}
    status = statuses.get(wanted.lower())
    if status is None:
        known = ", ".join(statuses) or "no domain"
        raise Wrong(
            f"MailFrom is at {wanted}, and Resend has {known}",
            "add it at resend.com/domains, or change MailFrom",
        )
    if status != "verified":
        raise Wrong(f"Resend has {wanted} as {status}", "finish its DNS records at resend.com/domains")
    return Works(f"the key is known, {wanted} is verified")
