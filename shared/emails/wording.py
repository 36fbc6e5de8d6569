"""Amounts and dates in the words of a mail. Mails are English; all times are UTC, for a reader anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

# ISO 4217: currencies whose smallest unit is not a hundredth.
_NO_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def money(minor_units: int, currency: str) -> str:
    """An amount as people write it, its currency an upper-case ISO code.

    >>> money(2900, "USD"), money(2900, "JPY")
    ('$29.00', '¥2,900')
    """
    decimals = _decimals(currency)
    amount = f"{Decimal(minor_units).scaleb(-decimals):,.{decimals}f}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{amount}" if symbol else f"{amount}{_NO_BREAK_SPACE}{currency}"


def day(at: datetime) -> str:
    """The date in UTC: 1 May 2026."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y}"


def moment(at: datetime) -> str:
    """The date and time of day in UTC: 1 May 2026 at 09:30 UTC."""
    return f"{day(at)} at {at.astimezone(UTC):%H:%M} UTC"


def _decimals(currency: str) -> int:
    if currency in _NO_MINOR_UNIT:
        return 0
    return 3 if currency in _THOUSANDTHS else 2
