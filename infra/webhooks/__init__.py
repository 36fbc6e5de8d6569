"""Events as Stripe, Resend, GitHub and senders of your own send them: their bodies, their headers, their signatures.

    request = as_stripe(stripe_events.event("invoice.paid"), secret)
    httpx.post(url + request.path, headers=request.headers, content=request.body)

Signed by a few lines of our own, and not by the libraries that the receiver verifies with: one checks the other.
"""

from __future__ import annotations

from infra.webhooks.local_secrets import LOCAL_SECRETS
from infra.webhooks.signing import Request, as_github, as_plain_sender, as_resend, as_sender, as_stripe

__all__ = [
    "LOCAL_SECRETS",
    "Request",
    "as_github",
    "as_plain_sender",
    "as_resend",
    "as_sender",
    "as_stripe",
]
