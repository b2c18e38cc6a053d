"""The whitelist's file: cards and plates by keyed hash, made and read with sqlite-utils.

Rebuildable data, in a file of its own, apart from the journal. It is built as a new file and put in place whole,
so that a bad import leaves the old list standing. Numbers and plates are not in it, only their keyed hashes.
"""

import csv
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import sqlite_utils

from controller.domain.lists import ListRow, ListState, LookUp, Status
from controller.domain.quantities import Currency, parse_decimal, power_of_ten
from controller.domain.seams import MS_PER_S
from controller.domain.tokens import TokenKind, check_card_number, fold_plate, token_key

COLUMNS = (
    "card",
    "plate",
    "account",
    "status",
    "products",
    "valid_from",
    "valid_until",
    "only_plate",
    "ask_odometer",
    "fill_volume",
    "fill_amount",
    "day_volume",
    "day_amount",
)
_TABLE = {
    "key": bytes,
    "kind": str,
    "status": str,
    "account": str,
    "products": str,
    "valid_from_ms": int,
    "valid_until_ms": int,
    "plate_key": bytes,
    "ask_odometer": int,
    "fill_ml": int,
    "fill_minor": int,
    "day_ml": int,
    "day_minor": int,
}


NUMBER_MAX = 10**15
"""Above any limit that means something, below what a column can hold."""


class WhitelistError(Exception):
    """The list could not be read or made; the text says what, where and what to do."""


class BadLine(WhitelistError):
    """One line of an import is wrong. `line` counts from 1, the heading included."""

    def __init__(self, source: str, line: int, what: str) -> None:
        super().__init__(f"{source}, line {line}: {what}")
        self.line = line


class Whitelist:
    """The list of a running station. Looks at the file's identity before each look-up: a new file is taken at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._db: sqlite_utils.Database | None = None
        self._version = 0
        self.trouble = ""
        """Why the list cannot be used, in a sentence; empty while it can."""

    def look_up(self, key: bytes) -> LookUp:
        """The row of a token. Never raises: a list that cannot be read is an answer."""
        try:
            database = self._current()
            if database is None:
                self.trouble = f"There is no card list at {self._path}: import one (forecourt whitelist import)"
                return LookUp(ListState.MISSING)
            found = database.execute(f"SELECT {', '.join(_TABLE)} FROM tokens WHERE key = ?", [key]).fetchone()
            row = None if found is None else msgspec.convert(found, ListRow, strict=False)
        except (sqlite3.Error, OSError, msgspec.ValidationError) as error:
            self._forget()
            self.trouble = f"The card list {self._path} cannot be read ({error}): import it again"
            return LookUp(ListState.UNREADABLE)
        self.trouble = ""
        return LookUp(ListState.READY, self._version, row)

    def close(self) -> None:
        self._forget()

    def _current(self) -> sqlite_utils.Database | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self._forget()
            return None
        identity = (status.st_ino, status.st_mtime_ns)
        if self._db is None or identity != self._identity:
            self._forget()
            connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            self._db = sqlite_utils.Database(connection)
            self._identity = identity
            self._version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        return self._db

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def build(path: Path, rows: Iterable[ListRow], version: int) -> int:
    """Make a new list at `path`, whole or not at all. Returns how many rows it has."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    database = sqlite_utils.Database(fresh)
    try:
        tokens = database.table("tokens")
        tokens.create(_TABLE, pk="key", not_null=set(_TABLE), strict=True)
        tokens.insert_all(
            ({name: _plain(getattr(row, name)) for name in _TABLE} for row in sorted(rows, key=lambda row: row.key)),
            batch_size=1_000,
        )
        count = int(tokens.count)
        database.execute(f"PRAGMA user_version = {version:d}")
        database.conn.commit()
    except WhitelistError:
        database.close()
        fresh.unlink(missing_ok=True)
        raise
    except sqlite3.IntegrityError as error:
        raise WhitelistError(f"a card or plate stands in the list twice ({error}): nothing was changed") from error
    except sqlite3.Error as error:
        raise WhitelistError(f"{fresh} cannot be written ({error}): nothing was changed") from error
    finally:
        database.close()
    with open(fresh, "rb") as file:
        os.fsync(file.fileno())
    os.replace(fresh, path)
    return count


def read_csv(source: Path, secret: bytes, currency: Currency, zone: ZoneInfo) -> Iterator[ListRow]:
    """Rows of a CSV file with a heading of `COLUMNS` (only `account` and one of card, plate are needed).

    BadLine names the first line that is wrong.
    """
    with open(source, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            _check_heading(reader.fieldnames)
            for fields in reader:
                yield _row(_whole(fields), secret, currency, zone)
        except (ValueError, csv.Error) as error:
            if isinstance(error, UnicodeDecodeError):
                raise BadLine(str(source), _undecodable(source), "not UTF-8 text: save the file as such") from error
            raise BadLine(str(source), max(reader.reader.line_num, 1), str(error)) from error


def _undecodable(source: Path) -> int:
    with open(source, "rb") as file:
        for line, raw in enumerate(file, 1):
            try:
                raw.decode()
            except UnicodeDecodeError:
                return line
    return 1


def _check_heading(names: Sequence[str] | None) -> None:
    if not names:
        raise ValueError(f"the file is empty: expected a heading of {', '.join(COLUMNS)}")
    unknown = set(names) - set(COLUMNS)
    if unknown:
        raise ValueError(f"unknown column {', '.join(sorted(unknown))}; known are {', '.join(COLUMNS)}")
    if len(set(names)) != len(names):
        raise ValueError("a column stands twice in the heading")


def _whole(fields: Mapping[str | None, str | None]) -> dict[str, str]:
    """The fields of a row that has as many as the heading: a row cut off must not become a card without limits."""
    if None in fields:
        raise ValueError('there are more fields than in the heading: put "a,b" in quotes where a comma belongs to it')
    whole = {key: value.strip() for key, value in fields.items() if key is not None and value is not None}
    if len(whole) != len(fields):
        raise ValueError("there are fewer fields than in the heading: was the file cut off?")
    return whole


def _row(fields: dict[str, str], secret: bytes, currency: Currency, zone: ZoneInfo) -> ListRow:
    card, plate = fields.get("card", ""), fields.get("plate", "")
    if bool(card) == bool(plate):
        raise ValueError("a row is for a card or for a plate: fill one of the two columns")
    kind = TokenKind.CARD if card else TokenKind.PLATE
    value = check_card_number(card) if card else fold_plate(plate)
    if not fields.get("account"):
        raise ValueError("the column account is empty: say who pays")
    only_plate = fields.get("only_plate", "")
    return ListRow(
        key=token_key(secret, kind, value),
        kind=kind,
        status=_status(fields.get("status", "")),
        account=fields["account"],
        products=",".join(fields.get("products", "").replace(";", ",").replace(" ", "").split(",")),
        valid_from_ms=_day_ms(fields.get("valid_from", ""), zone),
        valid_until_ms=_day_ms(fields.get("valid_until", ""), zone, days_later=1),
        plate_key=token_key(secret, TokenKind.PLATE, fold_plate(only_plate)) if only_plate else b"",
        ask_odometer=_yes(fields.get("ask_odometer", "")),
        fill_ml=_scaled(fields.get("fill_volume", ""), 3),
        fill_minor=_scaled(fields.get("fill_amount", ""), currency.decimals),
        day_ml=_scaled(fields.get("day_volume", ""), 3),
        day_minor=_scaled(fields.get("day_amount", ""), currency.decimals),
    )


def _plain(value: object) -> object:
    return int(value) if isinstance(value, bool) else str(value) if isinstance(value, str) else value


def _day_ms(text: str, zone: ZoneInfo, *, days_later: int = 0) -> int:
    """A date as the UTC moment of its local midnight; 0 for nothing. The last valid day is valid to its end."""
    if not text:
        return 0
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: expected a day such as 2026-12-31") from error
    if day < date.max:  # 9999-12-31 is what people write for ever
        day += timedelta(days=days_later)
    return int(datetime.combine(day, time(), zone).timestamp()) * MS_PER_S


def _status(text: str) -> Status:
    if text not in {"", *Status}:
        raise ValueError(f"{text!r}: expected {' or '.join(Status)}")
    return Status(text or "active")


def _yes(text: str) -> bool:
    if text.lower() not in {"", "yes", "no"}:
        raise ValueError(f"{text!r}: expected yes or no")
    return text.lower() == "yes"


def _scaled(text: str, decimals: int) -> int:
    if not text:
        return 0
    value, given = parse_decimal(text)
    if given > decimals or not 0 < value <= NUMBER_MAX:
        raise ValueError(
            f"{text!r}: expected a number above zero with at most {decimals} decimals, or nothing for no limit"
        )
    return value * power_of_ten(decimals - given)
