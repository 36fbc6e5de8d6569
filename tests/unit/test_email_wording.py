"""Amounts, sizes, times and other people's texts in the words of a mail."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared.emails import WelcomeData, wording


@pytest.mark.parametrize(
    ("minor_units", "currency", "words"),
    [
        (2900, "USD", "$29.00"),
        (0, "EUR", "€0.00"),
        (5, "GBP", "£0.05"),
        (123456789, "EUR", "€1,234,567.89"),
        (2900, "JPY", "¥2,900"),
        (2900, "CHF", "29.00\N{NO-BREAK SPACE}CHF"),
        (2900, "KWD", "2.900\N{NO-BREAK SPACE}KWD"),
        (2900, "KRW", "2,900\N{NO-BREAK SPACE}KRW"),
    ],
)
def test_money(minor_units: int, currency: str, words: str) -> None:
    assert wording.money(minor_units, currency) == words
    assert wording.money(-minor_units, currency) == (f"-{words}" if minor_units else words)
    plain = "".join(each for each in words if each.isdigit() or each == ".")
    assert str(wording.major_units(-minor_units, currency)) == (f"-{plain}" if minor_units else plain)


def test_times_are_told_in_utc() -> None:
    at = datetime.fromisoformat("2026-05-01T01:30:00+02:00")

    assert wording.day(at) == "30 April 2026"
    assert wording.moment(at) == "30 April 2026 at 23:30 UTC"


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1536, "1.5 kB"),
        (98_765_432, "98.8 MB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_file_sizes(size: int, words: str) -> None:
    assert wording.file_size(size) == words


@pytest.mark.parametrize(
    ("typed", "fitting"),
    [
        ("Ada", "Ada"),
        ("  two\tbedrooms\n on  Elm Street\x00 ", "two bedrooms on Elm Street"),
        ("\u202emoc.live", "moc.live"),
        ("x" * 100, "x" * 100),
        ("x" * 98 + " y and more", "x" * 98 + "…"),
        ("", "…"),
        ("\n\x1b", "…"),
    ],
)
def test_what_somebody_typed_is_made_to_fit(typed: str, fitting: str) -> None:
    assert wording.fit(typed) == fitting
    assert WelcomeData(name=wording.fit(typed)).name == fitting
