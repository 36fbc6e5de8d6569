"""The statements of an export, composed from allow lists; values go in as literals that psycopg has quoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql
from psycopg.postgres import types

from functions.export_data.entities import ENTITIES, Entity
from shared.jobs.export_data import COLUMNS, ExportData, ExportFormat

PAGE = 10_000  # rows
# Infinity has no digits, and is itself.
_UTC = sql.SQL("""coalesce(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), {0}::text)""")
_TEXT = sql.SQL("{}::text")
_JSON = sql.SQL("to_json({})::text")
# What a spreadsheet would run as a formula gets an apostrophe before it, which makes it text.
_HARMLESS = sql.SQL(r"regexp_replace({}, '^(?=[-=+@\t\r\n＝＋－＠])', '''')")
_TIME = types["timestamptz"].oid
_NUMBERS = {types[name].oid for name in ("int2", "int4", "int8", "numeric", "float4", "float8")}
_ARRAYS = {each.array_oid for each in types if each.array_oid}
_SEPARATOR = {ExportFormat.CSV: b",", ExportFormat.JSONL: b"\x01"}
_LINE_END = {ExportFormat.CSV: b"\r\n", ExportFormat.JSONL: b"\n"}  # RFC 4180's; JSON Lines'
# JSON holds no control character unescaped, so that nothing in it is quoted.
_COPY = {
    ExportFormat.CSV: sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')"),
    ExportFormat.JSONL: sql.SQL(
        r"COPY ({}) TO STDOUT (FORMAT csv, ENCODING 'UTF8', DELIMITER E'\x01', QUOTE E'\x02')"
    ),
}


class Query:
    """What one export asks of Postgres: how many rows there are, and a page of them after another."""

    def __init__(self, payload: ExportData, organization_id: int) -> None:
        self._payload, self._organization_id = payload, organization_id
        self._entity: Entity = ENTITIES[payload.entity_type]
        self.columns = payload.columns or COLUMNS[payload.entity_type]
        self.separator, self.line_end = _SEPARATOR[payload.format], _LINE_END[payload.format]
        self.places = len(self._entity.order)  # how many cells of each line say where in the order it is

    def count(self) -> sql.Composed:
        """How many rows there are."""
        return self._select(sql.SQL("count(*) AS total"), self._conditions())

    def kinds(self) -> sql.Composed:
        """A statement without rows, whose description tells the columns' types."""
        cells = sql.SQL(", ").join(map(self._column, self.columns))
        return self._select(cells, [sql.SQL("false")])

    def page(self, kinds: Sequence[int], after: Sequence[str] | None) -> sql.Composed:
        """COPY of the next rows after a place in the order: each line is its own place, then its cells."""
        conditions = list(self._conditions())
        if after is not None:
            places = sql.SQL(", ").join(map(sql.Literal, after))
            conditions.append(sql.SQL("({}) > ({})").format(self._order(), places))
        places_and_line = sql.SQL("{}, {}").format(self._order(), self._line(kinds))
        rows = self._select(places_and_line, conditions)
        ordered = sql.SQL("{} ORDER BY {} LIMIT {}").format(rows, self._order(), sql.Literal(PAGE))
        return _COPY[self._payload.format].format(ordered)

    def _line(self, kinds: Sequence[int]) -> sql.Composed:
        cells = [self._cell(self._column(name), kind) for name, kind in zip(self.columns, kinds, strict=True)]
        if self._payload.format is ExportFormat.CSV:
            return sql.SQL(", ").join(cells)
        named = [
            sql.SQL("{} AS {}").format(cell, sql.Identifier(name))
            for cell, name in zip(cells, self.columns, strict=True)
        ]
        return sql.SQL("(SELECT row_to_json(line) FROM (SELECT {}) AS line)").format(
            sql.SQL(", ").join(named)
        )

    def _cell(self, column: sql.Composable, kind: int) -> sql.Composable:
        if kind == _TIME:
            return _UTC.format(column)
        if kind in _NUMBERS or self._payload.format is ExportFormat.JSONL:
            return column
        return _HARMLESS.format((_JSON if kind in _ARRAYS else _TEXT).format(column))

    def _conditions(self) -> Iterator[sql.Composable]:
        organization = sql.Identifier(*self._entity.organization)
        yield sql.SQL("{} = {}").format(organization, sql.Literal(self._organization_id))
        filters, created = self._payload.filters, self._column(self._entity.created)
        if filters.created_after is not None:
            yield sql.SQL("{} >= {}").format(created, sql.Literal(filters.created_after))
        if filters.created_before is not None:
            yield sql.SQL("{} < {}").format(created, sql.Literal(filters.created_before))
        for column, values in filters.by_column().items():
            yield sql.SQL("{} = ANY({})").format(self._column(column), sql.Literal(list(values)))

    def _select(
        self, what: sql.Composable, conditions: Sequence[sql.Composable] | Iterator[sql.Composable]
    ) -> sql.Composed:
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(
            what, self._entity.table, sql.SQL(" AND ").join(conditions)
        )

    def _order(self) -> sql.Composed:
        return sql.SQL(", ").join(map(self._column, self._entity.order))

    def _column(self, name: str) -> sql.Identifier:
        return sql.Identifier("entity", name)
