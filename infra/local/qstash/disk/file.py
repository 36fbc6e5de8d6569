"""The file: one SQLite table of records, written in transactions."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Refused
from ..journal import Journal, Kind
from .records import encode

_VERSION = 1
# Deliveries end one by one; what a crash within this time forgets is delivered once more.
_COLLECTED_SECONDS = 0.02
_AGAIN_SECONDS = 1.0

_TABLE = """
CREATE TABLE records (
    "user" TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY ("user", kind, id)
) WITHOUT ROWID
"""
_PUT = """
INSERT INTO records ("user", kind, id, number, data) VALUES (?, ?, ?, ?, ?)
ON CONFLICT ("user", kind, id) DO UPDATE SET data = excluded.data
"""
_DROP = 'DELETE FROM records WHERE "user" = ? AND kind = ? AND id = ?'
_READ = 'SELECT "user", kind, id, data FROM records ORDER BY number'


class Unreadable(Exception):
    """The file cannot be used: it is another server's, or none of ours."""


class Unwritable(Refused):
    """The file cannot be written now, as on a full disk; what is to be written waits for the next commit."""

    def __init__(self, text: str) -> None:
        super().__init__(503, text)


class FileJournal(Journal):
    """A journal in a file, of which one server at a time may be the owner. Raises Unreadable."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._path = path
        self._log = log
        self._puts: dict[tuple[str, Kind, str], object] = {}
        self._drops: dict[tuple[str, Kind, str], None] = {}
        self._undos: list[Callable[[], None]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            self._open()
            self._number = self._database.execute("SELECT coalesce(max(number), 0) FROM records").fetchone()[
                0
            ]
        except (sqlite3.Error, OSError) as error:
            raise Unreadable(f"cannot use {path}: {_explain(error)}") from error

    def put(self, user: str, kind: Kind, record_id: str, record: object) -> None:
        """Keep `record` as it will be at the next commit."""
        key = (user, kind, record_id)
        self._drops.pop(key, None)
        self._puts[key] = record
        self._commit_soon()

    def drop(self, user: str, kind: Kind, record_id: str) -> None:
        """Keep no record of that kind and id."""
        key = (user, kind, record_id)
        self._puts.pop(key, None)
        self._drops[key] = None
        self._commit_soon()

    def otherwise(self, undo: Callable[[], None]) -> None:
        """How to take back a change that has just been made, should it not be written."""
        if self._undos is not None:
            self._undos.append(undo)

    @contextmanager
    def written_or_taken_back(self) -> Iterator[None]:
        """Commit after the block, or take back what it changed, as far as it said how. It must not await."""
        undos: list[Callable[[], None]] = []
        self._undos = undos
        try:
            yield
        finally:
            self._undos = None
        try:
            self.commit()
        except Unwritable:
            for undo in reversed(undos):
                undo()
            raise

    def clear(self) -> None:
        """Keep nothing of what was written down so far."""
        self._puts.clear()
        self._drops.clear()
        self._database.execute("DELETE FROM records")

    def commit(self) -> None:
        """Write down all changes since the last commit, or none of them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._puts and not self._drops:
            return
        first, self._number = self._number + 1, self._number + len(self._puts)
        # As JSON, because what came in a header need not be text that SQLite takes.
        drops = [(user, kind, json.dumps(record_id)) for user, kind, record_id in self._drops]
        puts = [
            (user, kind, json.dumps(record_id), number, json.dumps(encode(kind, record)))
            for number, ((user, kind, record_id), record) in enumerate(self._puts.items(), first)
        ]
        try:
            self._database.execute("BEGIN")
            self._database.executemany(_DROP, drops)
            self._database.executemany(_PUT, puts)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise Unwritable(f"cannot write {self._path}: {error}") from error
        self._puts.clear()
        self._drops.clear()

    def close(self) -> None:
        """Commit, and give up the file."""
        self.commit()
        self._database.close()

    def read(self) -> Iterator[tuple[str, Kind, str, object]]:
        """All records, as user, kind, id and JSON, in the order in which they were first written."""
        for user, kind, record_id, data in self._database.execute(_READ):
            yield user, kind, json.loads(record_id), json.loads(data)

    def _open(self) -> None:
        # Locked for as long as it is open: two servers would deliver everything twice.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("BEGIN IMMEDIATE")
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        tables = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if version == 0 and tables == 0:
            self._database.execute(_TABLE)
            self._database.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise Unreadable(f"cannot use {self._path}: it is no state file, or that of another version")
        self._database.execute("COMMIT")

    def _commit_soon(self) -> None:
        if self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(_COLLECTED_SECONDS, self._commit_in_time)
            except RuntimeError:
                self.commit()  # outside of the server's loop there is no later

    def _commit_in_time(self) -> None:
        self._timer = None
        try:
            self.commit()
        except Unwritable as error:
            self._log(str(error))
            self._timer = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._commit_in_time)


def _explain(error: Exception) -> str:
    return "another server uses it" if "locked" in str(error) else str(error)
