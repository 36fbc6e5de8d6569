"""Reports: periods, axes and words."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pypdf import PdfReader

from functions.generate_report.charts import draw
from functions.generate_report.formats import as_pdf
from functions.generate_report.formats.pdf_styles import STYLES, column_widths, figure_style
from functions.generate_report.formats.pdf_text import markup, width
from functions.generate_report.model import Chart, ChartKind, Column, Figure, Report, Series, Table, Unit
from functions.generate_report.period import Period
from functions.generate_report.ticks import axis_of
from functions.generate_report.words import change_words, shown


def chart(values: list[Any], **more: Any) -> Chart:
    fields = {"name": "x", "title": "x", "place_label": "x", "value_label": "x", "kind": ChartKind.BARS}
    series = [Series(label="x", values=values), Series(label="y", values=values)]
    return Chart(**{"unit": Unit.COUNT, "places": ["x"] * len(values), "series": series} | fields | more)


@pytest.mark.parametrize(
    ("first", "last", "before", "step", "words"),
    [
        ("2026-03-01", "2026-03-31", ("2026-02-01", "2026-02-28"), "day", "March 2026"),
        ("2026-01-01", "2026-06-30", ("2025-07-01", "2025-12-31"), "month", "1 January 2026 – 30 June 2026"),
        ("2026-03-02", "2026-03-02", ("2026-03-01", "2026-03-01"), "day", "2 March 2026"),
        ("2026-03-02", "2026-06-10", ("2025-11-21", "2026-03-01"), "week", "2 March 2026 – 10 June 2026"),
        ("2024-02-01", "2024-02-29", ("2024-01-01", "2024-01-31"), "day", "February 2024"),
    ],
)
def test_periods(first: str, last: str, before: tuple[str, str], step: str, words: str) -> None:
    period = Period(date.fromisoformat(first), date.fromisoformat(last))
    assert period.before == Period(*map(date.fromisoformat, before))
    assert (period.step, period.words) == (step, words)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40), st.sampled_from(ChartKind))
@example([10_000_001], ChartKind.BARS)
def test_every_value_fits_on_the_axis(values: list[int], kind: ChartKind) -> None:
    axis = axis_of(chart(values, kind=kind))
    highest = max(values) * (2 if kind is ChartKind.STACKED else 1)
    assert highest <= axis.top * 1.000001
    assert 1 <= round(axis.top / axis.step) <= 5
    assert axis.step == int(axis.step) >= 1
    assert axis.top - axis.step < max(highest, 1)


@given(st.decimals("0.001", 10**6, places=3))
def test_ticks_are_told_apart(value: Decimal) -> None:
    axis = axis_of(chart([value], unit=Unit.SECONDS))
    labels = [axis.label(axis.step * tick) for tick in range(round(axis.top / axis.step) + 1)]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("value", "unit", "currency", "words"),
    [
        (123456, Unit.MONEY, "USD", "$1,234.56"),
        (1234, Unit.MONEY, "JPY", "¥1,234"),
        (1234, Unit.COUNT, None, "1,234"),
        (Decimal("14.3"), Unit.PERCENT, None, "14.3%"),
        (Decimal("0.352"), Unit.SECONDS, None, "352 ms"),
        (Decimal("59.96"), Unit.SECONDS, None, "1 min 0 s"),
        (Decimal("0.9996"), Unit.SECONDS, None, "1.0 s"),
        (date(2026, 4, 1), Unit.MONTH, None, "April 2026"),
        (None, Unit.MONEY, "USD", "–"),
    ],
)
def test_values(value: Any, unit: Unit, currency: str | None, words: str) -> None:
    assert shown(value, unit, currency) == words


@pytest.mark.parametrize(
    ("unit", "value", "before", "words"),
    [
        (Unit.COUNT, 15, 10, "+50%"),
        (Unit.COUNT, 5, 10, "-50%"),
        (Unit.COUNT, 10, 10, "unchanged"),
        (Unit.COUNT, 10, 0, "from 0"),
        (Unit.PERCENT, Decimal("4.5"), Decimal("6.0"), "-1.5 points"),
        (Unit.COUNT, 10, None, ""),
        (Unit.COUNT, None, 10, ""),
    ],
)
def test_changes(unit: Unit, value: Any, before: Any, words: str) -> None:
    assert change_words(Figure(name="x", label="x", unit=unit, value=value, before=before)) == words


def test_a_long_text_leaves_room_for_the_short_ones() -> None:
    rows = [["Listing", "City", "Rent"], ["long " * 60, "Long Island City", "$2,450.00"]]
    widths = column_widths(rows, ["cell", "cell", "number"], 300)
    assert sum(widths) == pytest.approx(300)
    for text, room in (("Long Island City", widths[1]), ("$2,450.00", widths[2])):
        assert width(text, "Helvetica-Bold", 8) < room


def test_numbers_without_end_leave_room_for_the_texts() -> None:
    rows = [["Job", *("Number",) * 9], ["generate-report", *("1,639,000,000,000.00",) * 9]]
    widths = column_widths(rows, ["cell", *("number",) * 9], 504)
    assert sum(widths) == pytest.approx(504)
    assert min(widths) >= 40


@pytest.mark.parametrize("figure", ["8", "$1,234,567.89", "$987,654,321,098.76", "1,639,000,000.00 KWD"])
def test_a_figure_is_on_one_line_of_its_card(figure: str) -> None:
    style = STYLES[figure_style(figure, 126)]
    assert width(figure, style.fontName, style.fontSize) <= 126 - 20


@pytest.mark.parametrize("highest", [9, 10_000_00, 9_999_999_999_99])
def test_the_values_at_an_axis_are_on_the_chart(highest: int) -> None:
    drawn = chart([highest], unit=Unit.MONEY, currency="USD")
    plot: Any = draw(drawn).contents[0]
    axis = axis_of(drawn)
    assert plot.x - width(axis.label(axis.top), "Helvetica", 7.5) > 5


@pytest.mark.parametrize(
    "long", ["word " * 4_000, "x" * 20_000, "東" * 20_000], ids=["words", "letters", "han"]
)
def test_a_text_without_end_still_makes_a_pdf(long: str) -> None:
    columns = [Column(name=name, label=name, unit=Unit.TEXT) for name in ("listing", "city")]
    table = Table(name="x", title="x", columns=columns, rows=[[long, "Seattle"]] * 3)
    report = Report(
        report_type="x",
        title="x",
        organization=long,
        time_zone="UTC",
        first_day=date(2026, 4, 1),
        last_day=date(2026, 4, 30),
        period="April 2026",
        compared_with="March 2026",
        filters={},
        generated_at=datetime(2026, 5, 1, tzinfo=UTC),
        figures=[Figure(name="x", label="x", unit=Unit.COUNT, value=1)],
        charts=[],
        tables=[table],
    )
    assert len(PdfReader(io.BytesIO(as_pdf.write(report))).pages) == 1


def test_text_that_the_fonts_of_a_pdf_lack() -> None:
    noto, chinese, japanese, korean = (
        f'<font name="{name}">{{}}</font>'.format
        for name in ("NotoSans", "STSong-Light", "HeiseiKakuGo-W5", "HYGothic-Medium")
    )
    assert markup("Café 5 € & <b>") == "Café 5 € &amp; &lt;b&gt;"
    assert markup("Łódź") == noto("Ł") + "ód" + noto("ź")
    assert markup("ООО «Дом»") == f"{noto('ООО')} «{noto('Дом')}»"
    assert markup("東京") == chinese("東京")
    assert markup("「東京」の") == japanese("「東京」の")
    assert markup("서울 東京") == f"{korean('서울')} {korean('東京')}"
    assert markup("a\u202eb\x00c") == "a?b?c"
    assert markup("שלום 🙂 ⌚") == "???? ? ?"
    assert markup("e\u0301 x\u0301") == f"é x{noto(chr(0x301))}"
    assert width("東京", "Helvetica", 10) == 20
