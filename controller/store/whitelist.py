"""The list of a running station: looks tokens up, and takes a new list as soon as it is in place.

Never a reason for the station to stop: a list that cannot be read is an answer, and a new one that cannot be used
leaves the old one in use.
"""

import os
from pathlib import Path

import sqlite_utils

from controller.domain.list_entries import Catalogue, EntryKind, ListPrice, Product, Rule, decode_parts
from controller.domain.lists import ListRow, ListState, LookUp
from controller.store.whitelist_file import UNREADABLE, open_to_read, read_about

_BY_KEY = "SELECT kind, value FROM entries WHERE key = ?"
_CATALOGUE = "SELECT key, kind, value FROM entries INDEXED BY catalogue WHERE kind > 1 AND kind = ?"
_OF_STATION = " AND (instr(value, ?) OR substr(value, 1, 1) = x'93')"
"""Prices that may be a station's: its id is somewhere in the bytes, or they have three fields and so name no station.

A network has tens of thousands, and decoding them would hold up the pumps for as many times 16 µs.
"""


class Whitelist:
    """Looks at the file's identity before each look-up: a new file is taken at once."""

    def __init__(self, path: Path, *, station: str = "") -> None:
        """`station`: whose prices are in the catalogue; without it, everybody's."""
        self._path = path
        self._station = station
        self._identity: tuple[int, int] | None = None
        self._db: sqlite_utils.Database | None = None
        self._version = 0
        self._signed = False
        self._catalogue: Catalogue | None = None
        """Of the file that is open, once it was asked for."""
        self._refused = ""
        self.trouble = ""
        """What is wrong with the list, in a sentence; empty while nothing is."""

    def look_up(self, key: bytes) -> LookUp:
        """The row of a token. Never raises: a list that cannot be read is an answer."""
        try:
            database = self._current()
            if database is None:
                self.trouble = f"There is no card list at {self._path}: import one (forecourt whitelist import)"
                return LookUp(ListState.MISSING)
            found = database.conn.execute(_BY_KEY, (key,)).fetchone()
            row = None if found is None else decode_parts(key, *found)
        except UNREADABLE as error:
            self._forget()
            self.trouble = f"The card list {self._path} cannot be read ({error}): import it again"
            return LookUp(ListState.UNREADABLE)
        self.trouble = self._refused
        return LookUp(ListState.READY, self._version, row if isinstance(row, ListRow) else None)

    def catalogue(self) -> Catalogue | None:
        """Products, prices and rules that headquarters sent. None where the list cannot be read: see `trouble`."""
        try:
            database = self._current()
            if database is None:
                return None
            if self._catalogue is None:
                kinds = [kind for kind in EntryKind if kind is not EntryKind.TOKEN]
                found = [decode_parts(*row) for kind in kinds for row in self._rows(database, kind)]
                prices = [entry for entry in found if isinstance(entry, ListPrice)]
                self._catalogue = Catalogue(
                    self._version,
                    self._signed,
                    tuple(entry for entry in found if isinstance(entry, Product)),
                    tuple(price for price in prices if not self._station or price.is_for(self._station)),
                    tuple(entry for entry in found if isinstance(entry, Rule)),
                )
        except UNREADABLE as error:
            self._forget()
            self.trouble = f"The card list {self._path} cannot be read ({error}): import it again"
            return None
        return self._catalogue

    def close(self) -> None:
        self._forget()

    def _rows(self, database: sqlite_utils.Database, kind: EntryKind) -> list[tuple[bytes, int, bytes]]:
        if kind is EntryKind.PRICE and self._station:
            found = database.conn.execute(f"{_CATALOGUE}{_OF_STATION} ORDER BY key", (kind, self._station.encode()))
        else:
            found = database.conn.execute(f"{_CATALOGUE} ORDER BY key", (kind,))
        return found.fetchall()

    def _current(self) -> sqlite_utils.Database | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self._forget()
            return None
        identity = (status.st_ino, status.st_mtime_ns)
        if self._db is None or identity != self._identity:
            self._take(identity)
        return self._db

    def _take(self, identity: tuple[int, int]) -> None:
        """Open the file in place. Where it cannot be used, the one that is open stays, if there is one."""
        fresh = None
        try:
            fresh = open_to_read(self._path)
            about = read_about(fresh)
        except UNREADABLE as error:
            if fresh is not None:
                fresh.close()
            if self._db is None:
                raise
            self._refused = (
                f"The new card list {self._path} cannot be used ({error}): import it again. "
                f"Version {self._version} stays in use"
            )
        else:
            self._forget()
            self._db, self._version, self._signed = fresh, about.version, bool(about.header)
        self._identity = identity

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._catalogue = None
        self._refused = ""
