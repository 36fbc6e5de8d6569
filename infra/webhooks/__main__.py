"""`make stripe-event`, `resend-event`, `github-event`, `custom-event`: a signed event, as the real sender sends it.

To the running `make dev`, or to any receiver: URL is that of the receiver itself (the stack's output WebhooksUrl), and
SECRET what this sender signs with there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from infra.local.console import fail, out
from infra.webhooks import (
    Request,
    as_github,
    as_plain_sender,
    as_resend,
    as_sender,
    as_stripe,
    custom_events,
    github_events,
    local_secrets,
    resend_events,
    stripe_events,
)

_SECONDS = 30.0
_DEFAULT_TYPES = {
    "stripe": "checkout.session.completed",
    "resend": "email.bounced",
    "github": "push",
    "custom": "accounting",
}


def main(arguments: Sequence[str]) -> int:
    """Send one event and print the answer; 0 where it is a 2xx."""
    options = _parser().parse_args(arguments)
    url = (
        options.url or f"http://127.0.0.1:{os.environ.get('FUNCTIONS_PORT') or 9000}/receive-webhook"
    ).rstrip("/")
    try:
        request = _request(options)
    except (OSError, KeyError, ValueError) as error:
        return fail(f"no such event: {error}")
    try:
        answer = httpx.post(
            url + request.path, headers=request.headers, content=request.body, timeout=_SECONDS
        )
    except httpx.HTTPError as error:
        return fail(f"nobody answers at {url} ({error}): start `make dev`, or give URL=https://…")
    out.print(f"{options.source} → {url}{request.path}", markup=False, soft_wrap=True)
    out.print(f"{answer.status_code} {answer.text}", markup=False, soft_wrap=True)
    return 0 if answer.is_success else 1


def _request(options: argparse.Namespace) -> Request:
    kind = options.type or _DEFAULT_TYPES[options.source]
    body = options.file.read_bytes() if options.file else None
    match options.source:
        case "stripe":
            event = body or stripe_events.Purchase(options.organization).event(kind)
            return as_stripe(event, options.secret or local_secrets.STRIPE)
        case "resend":
            event = body or resend_events.event(kind, to=options.to)
            return as_resend(event, options.secret or local_secrets.RESEND)
        case "github":
            _require_known(kind, github_events.TYPES, body)
            event = body or github_events.event(kind)
            return as_github(kind, event, options.secret or local_secrets.GITHUB)
        case _ if kind == "scanner" and not options.secret:
            event = body or custom_events.document_scanned()
            return as_plain_sender(
                kind, event, local_secrets.SCANNER, header="x-scanner-signature", prefix="v0="
            )
        case _:
            event = body or custom_events.invoice_imported()
            return as_sender(kind, event, options.secret or local_secrets.ACCOUNTING)


def _require_known(kind: str, known: Sequence[str], body: bytes | None) -> None:
    if body is None and kind not in known:
        raise ValueError(f"TYPE={kind}; there are {', '.join(known)} (or give the body with FILE=…)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.webhooks")
    parser.add_argument("source", choices=_DEFAULT_TYPES)
    parser.add_argument("--type", help="the event's type; of a custom sender its name")
    parser.add_argument("--file", type=Path, help="a file whose bytes are the body")
    parser.add_argument("--url", help="the receiver's URL; that of make dev without it")
    parser.add_argument("--secret", help="what this sender signs with there; the local cloud's without it")
    parser.add_argument(
        "--organization", type=int, default=1, help="whose purchase it is, of Stripe's events"
    )
    parser.add_argument("--to", default="ada@example.com", help="whose mail it is, of Resend's events")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
