"""One process at a time to a SQLite file, and the errors of headquarters' database.

Knows no table.
"""

import fcntl
from pathlib import Path


class StoreError(Exception):
    """The database cannot do what was asked. The text says what to do; nothing was stored."""


class StoreFull(StoreError):
    """No room left."""


class StoreBusy(StoreError):
    """Another process holds the database file. `url` is where that server listens, if it said so."""

    def __init__(self, text: str, url: str = "") -> None:
        super().__init__(text)
        self.url = url


class FileHold:
    """The right of one process to a SQLite file, kept in a file beside it.

    SQLite below 3.51.3 can damage a WAL database when two connections write at the same instant; one process and
    one connection cannot meet that.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        try:
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written ({error.strerror}): check the folder of `database` in hq.toml"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            url = self._file.read().strip()
            self._file.close()
            raise StoreBusy(
                f"{database} is in use by headquarters at {url or 'another process'}: stop that one first", url
            ) from None
        self.say("")

    def say(self, url: str) -> None:
        """Tell others where the holder listens."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(url)
        self._file.flush()

    def release(self) -> None:
        self._file.close()
