"""Rows of the journal as text: JSON, and a table for spreadsheets. Knows no file."""

import csv
import io
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from controller.domain.days import local_time
from controller.domain.records import Body, RowName, Stamp, kind_of
from controller.domain.selection import token_of
from controller.domain.tokens import TokenRef

COLUMNS = (
    "row", "kind", "at", "at_ms", "clock", "boot", "mono_ms", "point", "nozzle", "grade", "unit", "volume_ml",
    "amount_minor", "token_kind", "token", "token_key", "account", "receipt_number", "till", "names", "all",
)  # fmt: skip
"""Of the table. `names`: the row that this one ends or pays; `all`: every field, as JSON."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins so for a formula."""


def json_line(body: Body) -> str:
    """One row as one JSON object, without the end of line."""
    return msgspec.json.encode(_head(body) | _readable(body.record)).decode()


def csv_head() -> str:
    return _csv([COLUMNS])


def csv_lines(bodies: Iterable[Body], zone: ZoneInfo) -> str:
    """Rows as lines of the table, `at` in the station's time. Texts that look like formulas get an apostrophe."""
    return _csv([_cells(body, zone) for body in bodies])


def _head(body: Body) -> dict[str, Any]:
    stamp: Stamp = body.stamp
    return {
        "row": body.name.text,
        "kind": kind_of(body.record),
        "at_ms": stamp.wall_ms,
        "clock": stamp.quality,
        "boot": stamp.boot.hex(),
        "mono_ms": stamp.mono_ms,
    }


def _cells(body: Body, zone: ZoneInfo) -> list[object]:
    record = body.record
    readable = _readable(record)
    token = token_of(record)
    named = [value for value in (getattr(record, "delivery", None), getattr(record, "authorised", None)) if value]
    known = _head(body) | {
        "at": local_time(body.stamp.wall_ms, zone).isoformat(),
        "token_kind": token.kind if token else "",
        "token": token.shown if token else "",
        "token_key": token.key.hex() if token else "",
        "names": named[0].text if named else "",
        "all": msgspec.json.encode(readable).decode(),
    }
    return [_cell(known.get(column, readable.get(column, ""))) for column in COLUMNS]


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def _csv(lines: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _readable(value: Any) -> Any:
    """Records with the names of their fields, rows by their names, keys as hex."""
    match value:
        case RowName():
            return value.text
        case bytes():
            return value.hex()
        case TokenRef():
            return {"kind": value.kind, "key": value.key.hex(), "shown": value.shown, "assurance": value.assurance}
        case msgspec.Struct():
            return {name: _readable(getattr(value, name)) for name in value.__struct_fields__}
        case tuple():
            return [_readable(item) for item in value]
        case _:
            return value
