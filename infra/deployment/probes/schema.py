"""The database's schema must be the one that this checkout's code expects."""

from __future__ import annotations

import psycopg

from infra.deployment.probes.database import safe_words
from infra.deployment.probes.wrong import Works, Wrong
from infra.migrations import migrations

_APPLIED = "SELECT version, name, checksum FROM schema_migrations"


def probe_schema(url: str, how: str) -> Works:
    """Compare what was applied with what there is; `how` is the command that migrates. Raises Wrong."""
    try:
        applied = _applied(url)
    except psycopg.Error as error:
        raise Wrong(f"schema_migrations cannot be read: {safe_words(error)}", how) from None
    ours = migrations()
    missing = [each.name for each in ours if each.version not in applied]
    edited = [
        each.name
        for each in ours
        if applied.get(each.version, (each.name, each.checksum)) != (each.name, each.checksum)
    ]
    if edited:
        raise Wrong(
            f"{', '.join(edited)} was applied with other content",
            "put the file back as it was deployed, and write a new migration",
        )
    if missing:
        raise Wrong(f"not applied: {', '.join(missing)}", how)
    newer = sorted(applied.keys() - {each.version for each in ours})
    warnings = (
        [f"the database is ahead of this checkout (by {len(newer)}): update it before you deploy"]
        if newer
        else []
    )
    return Works(f"current, up to {ours[-1].name}", warnings)


def _applied(url: str) -> dict[int, tuple[str, str]]:
    with psycopg.connect(url, autocommit=True, connect_timeout=5, prepare_threshold=None) as connection:
        try:
            rows = connection.execute(_APPLIED).fetchall()
        except psycopg.errors.UndefinedTable:
            return {}
    return {version: (name, checksum) for version, name, checksum in rows}
