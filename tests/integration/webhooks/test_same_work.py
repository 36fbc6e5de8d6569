"""Which names custom senders have cannot be told by the time that an answer takes: the work is the same."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import pytest

from functions.receive_webhook import custom, incoming
from infra.webhooks import LOCAL_SECRETS, Request, as_sender, local_senders
from shared.errors import InvalidSignature
from tests.integration.webhooks.stage import event_of

GUESSED = "whsec_Z3Vlc3NlZC1zZWNyZXQtMTIzNDU2"
SENT = {
    "signed by the standard": as_sender("accounting", b"{}", GUESSED),
    "signed with an HMAC": local_senders.scanner(b"{}", secret=GUESSED),
    "too old": as_sender("accounting", b"{}", GUESSED, at=0),
    "not signed": Request("/custom/accounting", b"{}", {"content-type": "application/json"}),
}  # fmt: skip


@pytest.mark.parametrize("request_", SENT.values(), ids=SENT)
def test_each_name_costs_the_same_computations(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOM_WEBHOOKS", LOCAL_SECRETS["CUSTOM_WEBHOOKS"])
    costs = {name: _computations(name, request_, monkeypatch) for name in ("accounting", "scanner", "nobody")}
    assert len(set(costs.values())) == 1, costs
    assert costs["nobody"] >= 4


def _computations(name: str, request: Request, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many signatures are computed before a request is refused, whoever computes them."""
    made: list[object] = []
    digest, new = hmac.digest, hmac.new

    def counted(function: Any) -> Any:
        def compute(*arguments: Any, **options: Any) -> Any:
            made.append(function)
            return function(*arguments, **options)

        return compute

    with monkeypatch.context() as patched:
        patched.setattr(hmac, "digest", counted(digest))
        patched.setattr(hmac, "new", counted(new))
        sent = replace(request, path=f"/custom/{name}")
        with pytest.raises(InvalidSignature):
            custom.read(incoming.read(event_of(sent)), name)
    return len(made)
