"""docs/cost.md: its arithmetic is right, and it counts what is billed by the piece (of alarms: tests/artifact)."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from infra.template import ROOT, Template
from shared.registry import JobType

PAGE = (ROOT / "docs" / "cost.md").read_text("utf-8")
_ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<quantity>[\d,.]+)(?: GB-s| GB)? \| \$(?P<price>[\d.]+) per (?P<per>[\d,]+) \| \$(?P<cost>[\d.]+) \|$",
    re.MULTILINE,
)
_TYPES = re.compile(
    r"the (\d+) job types that it comes with, (\d+) of them in use\s+every hour and the other (\d+)"
)
_TOTAL = re.compile(r"^\| \*\*Total\*\* \| \| \| \*\*\$([\d.]+)\*\* \|$", re.MULTILINE)
TABLES = [part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if _TOTAL.search(part)]


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize("table", TABLES, ids=lambda text: text.partition("\n")[0])
def test_each_line_and_the_total_are_right(table: str) -> None:
    rows = [match.groupdict() for match in _ROW.finditer(table)]
    priced = [line for line in table.splitlines() if "| $" in line]
    assert len(rows) == len(priced) >= 8
    for row in rows:
        cost = number(row["quantity"]) * number(row["price"]) / number(row["per"])
        assert cents(cost) == number(row["cost"]), row["what"]
    (total,) = _TOTAL.findall(table)
    assert sum(number(row["cost"]) for row in rows) == number(total)


def test_there_are_two_tables() -> None:
    assert len(TABLES) == 2


def quantity(what: str) -> int:
    (row,) = (match for match in _ROW.finditer(PAGE) if match["what"].startswith(what))
    return int(number(row["quantity"]))


def test_what_is_billed_by_the_piece_is_all_counted() -> None:
    resources = Template().resources.values()
    assert quantity("Secrets Manager: secrets") >= sum(
        each["Type"] == "AWS::SecretsManager::Secret" for each in resources
    )
    (types, hourly, others) = map(int, _TYPES.findall(PAGE)[0])
    assert types == hourly + others <= len(JobType)  # what one more costs, the page says for itself
    assert quantity("CloudWatch: metrics") >= 5 * (hourly + others / 4) + 12
