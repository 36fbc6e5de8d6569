"""Tables that fit: what a terminal has no room for is left out by rank, ids are never cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

_GAP = 2
_LEAST = 16  # of a column that may be cut


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Those of a higher `rank` go first where there is no room, those of rank 0 never.

    `cut`: its text may be cut. `coloured`: by its own words.
    """

    title: str
    rank: int = 0
    right: bool = False
    cut: bool = False
    coloured: bool = False


def laid_out(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    room: int,
    colours: Mapping[str, str],
    *,
    titled: bool = True,
) -> Iterator[Text]:
    """The lines of a table."""
    used = [
        place
        for place, column in enumerate(columns)
        if column.rank == 0 or any(row[place] not in {"", "–"} for row in rows)
    ]
    widths = {place: _width(columns[place], [row[place] for row in rows]) for place in used}
    while _needed(columns, widths) > room and any(columns[place].rank for place in widths):
        del widths[max(widths, key=lambda place: columns[place].rank)]
    spare = max(room - _needed(columns, widths), 0)
    fitting = {place: _fitting(columns[place], width, spare) for place, width in widths.items()}
    if titled:
        yield _line(columns, fitting, [column.title for column in columns], {}, "bold")
    for row in rows:
        yield _line(columns, fitting, row, colours)


def _width(column: Column, cells: Sequence[str]) -> int:
    return max(map(cell_len, [column.title, *cells]))


def _needed(columns: Sequence[Column], widths: Mapping[int, int]) -> int:
    least = (min(width, _LEAST) if columns[place].cut else width for place, width in widths.items())
    return sum(least) + _GAP * (len(widths) - 1)


def _fitting(column: Column, width: int, spare: int) -> int:
    return min(width, _LEAST + spare) if column.cut else width


def _line(
    columns: Sequence[Column],
    widths: Mapping[int, int],
    row: Sequence[str],
    colours: Mapping[str, str],
    style: str = "",
) -> Text:
    line = Text()
    for place, width in widths.items():
        column = columns[place]
        cell = Text(row[place], style or (colours.get(row[place], "") if column.coloured else ""))
        if column.cut:
            cell.truncate(width, overflow="ellipsis")
        padding = " " * (width - cell.cell_len)
        line.append(padding if column.right else "").append_text(cell)
        line.append(("" if column.right else padding) + " " * _GAP)
    line.rstrip()
    return line
