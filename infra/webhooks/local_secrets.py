"""What senders sign with in the local cloud. They protect nothing: a deployed stack has its own."""

from __future__ import annotations

import json

STRIPE = "whsec_local_stripe_endpoint_secret"
RESEND = "whsec_bG9jYWwtcmVzZW5kLXdlYmhvb2stc2VjcmV0"
GITHUB = "local-github-webhook-secret"
ACCOUNTING = "whsec_bG9jYWwtYWNjb3VudGluZy13ZWJob29rLXNlY3JldA=="
SCANNER = "local-scanner-secret"

LOCAL_SECRETS = {
    "STRIPE_WEBHOOK_SECRETS": STRIPE,
    "RESEND_WEBHOOK_SECRETS": RESEND,
    "GITHUB_WEBHOOK_SECRETS": GITHUB,
    "CUSTOM_WEBHOOKS": json.dumps(
        {
            "accounting": {"secrets": [ACCOUNTING], "organization_id": 1},
            "scanner": {
                "scheme": "hmac-sha256",
                "secrets": [SCANNER],
                "header": "X-Scanner-Signature",
                "prefix": "v0=",
                "type": "document.scanned",
                "id_field": "scan_id",
                "organization_id": 1,
            },
        }
    ),
}
"""The webhooks secret, entry by entry."""
