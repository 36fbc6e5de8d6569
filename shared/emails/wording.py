"""Amounts, sizes and dates in the words of a mail. Mails are English; all times are UTC, for a reader anywhere."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

# ISO 4217: currencies whose smallest unit is not a hundredth.
_NO_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# Control characters, line and paragraph separators, and the marks that reverse the text after them: the first two
# break out of a mail header, the last make "moc.live" read as "evil.com". Joiners stay: names and emoji need them.
NOT_IN_ONE_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SIZES = ("kB", "MB", "GB", "TB")
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def money(minor_units: int, currency: str) -> str:
    """An amount as people write it, its currency an upper-case ISO code.

    >>> money(2900, "USD"), money(2900, "JPY")
    ('$29.00', '¥2,900')
    """
    amount = f"{major_units(abs(minor_units), currency):,}"
    sign, symbol = "-" if minor_units < 0 else "", _SYMBOLS.get(currency)
    return f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount}{_NO_BREAK_SPACE}{currency}"


def major_units(minor_units: int, currency: str) -> Decimal:
    """An amount in a currency's whole units, with as many decimals as the currency has."""
    return Decimal(minor_units).scaleb(-_decimals(currency))


def number(count: int) -> str:
    """A count as people write it: 1,234,567."""
    return f"{count:,}"


def file_size(size: int) -> str:
    """A size in bytes as people tell it.

    >>> file_size(1), file_size(1536), file_size(3_400_000)
    ('1 byte', '1.5 kB', '3.4 MB')
    """
    if size < 1000:
        return "1 byte" if size == 1 else f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, len(_SIZES))
    rest = size / 1000**power
    return f"{rest:,.1f}".removesuffix(".0") + f" {_SIZES[power - 1]}"


def fit(text: str) -> str:
    r"""A text that somebody once typed, as a mail's data takes one: a single line of 1 to 100 characters.

    >>> fit("Two bedrooms\n with a view of the park")
    'Two bedrooms with a view of the park'
    """
    line = " ".join(NOT_IN_ONE_LINE.sub(" ", text).split()) or "…"
    return line if len(line) <= 100 else line[:99].rstrip() + "…"


def calendar_day(date: date) -> str:
    """A date as people write it: 1 May 2026."""
    return f"{date.day} {date:%B %Y}"


def day(at: datetime) -> str:
    """The date in UTC: 1 May 2026."""
    return calendar_day(at.astimezone(UTC))


def moment(at: datetime) -> str:
    """The date and time of day in UTC: 1 May 2026 at 09:30 UTC."""
    return f"{day(at)} at {at.astimezone(UTC):%H:%M} UTC"


def _decimals(currency: str) -> int:
    if currency in _NO_MINOR_UNIT:
        return 0
    return 3 if currency in _THOUSANDTHS else 2
