"""CSV and JSONL as entries: a row a line, so that every bad one is named by its file and number.

Files are cut into blocks of whole lines that can be read apart from each other, by several processes. Knows no list.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from controller.store.whitelist_columns import COLUMNS, Columns, ReadRows
from controller.store.whitelist_file import WhitelistError

BLOCK_BYTES = 4 << 20
"""Of text: some ten thousands of rows, a few dozen megabytes while they are read."""
LINE_BYTES_MAX = 1 << 20
ROWS_A_GO = 1_000
"""So many that what is made of them stays in the processor's cache."""
BAD_LINES_MAX = 100
"""So many are named at most: then somebody has the wrong file."""
_JSONL = {".jsonl", ".ndjson"}
_BOM = b"\xef\xbb\xbf"


class BadLine(WhitelistError):
    """One line of an import is wrong. `line` counts from 1, the heading included."""

    def __init__(self, source: str, line: int, what: str) -> None:
        super().__init__(f"{source}, line {line}: {what}")
        self.line = line
        self.what = what


class BadLines(WhitelistError):
    """All bad lines of an import, at most BAD_LINES_MAX."""

    def __init__(self, bad: Sequence[BadLine]) -> None:
        named = sorted(bad, key=lambda each: each.line)[:BAD_LINES_MAX]
        more = [f"and perhaps more: only the first {BAD_LINES_MAX} are named"] if len(bad) >= BAD_LINES_MAX else []
        super().__init__("\n".join([*map(str, named), *more]))
        self.bad = tuple(named)


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file: `size` bytes from `offset` on; the first has the number `line`.

    `names`: the heading's columns, of a CSV file.
    """

    path: Path
    offset: int
    size: int
    line: int
    names: tuple[str, ...] | None


def blocks(path: Path, columns: Columns, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of a file, without its heading. BadLine if it has none that fits, OSError as the disk gives it."""
    with open(path, "rb") as file:
        offset, line, names = 0, 1, None
        if path.suffix.lower() not in _JSONL:
            head = file.readline(LINE_BYTES_MAX)
            names = _heading(path, head.removeprefix(_BOM), columns)
            offset, line = len(head), 2
        while data := file.read(block_bytes):
            rest = b"" if data.endswith(b"\n") else file.readline(LINE_BYTES_MAX)
            if len(rest) == LINE_BYTES_MAX:
                raise BadLine(str(path), line + data.count(b"\n"), f"a line of more than {LINE_BYTES_MAX} bytes")
            size = len(data) + len(rest)
            yield Block(path, offset, size, line, names)
            offset, line = offset + size, line + data.count(b"\n") + rest.count(b"\n")


def _heading(path: Path, head: bytes, columns: Columns) -> tuple[str, ...]:
    try:
        text = head.decode()
        if not text.strip():
            raise ValueError(f"the file is empty: expected a heading of {', '.join(COLUMNS)}")
        names = tuple(name.strip() for name in next(csv.reader([text], strict=True)))
        columns.plan(names)
    except UnicodeDecodeError as error:
        raise BadLine(str(path), 1, "not UTF-8 text: save the file as such") from error
    except (ValueError, csv.Error) as error:
        raise BadLine(str(path), 1, str(error)) from error
    return names


def read_block(block: Block, columns: Columns) -> tuple[list[bytes], list[BadLine]]:
    """The entries of a block, in the order of its lines; and the lines that are none."""
    lines = _text_of(block)
    if block.names is None:
        return _each(block, lines, _JsonLines(columns).read)
    read = columns.plan(block.names)
    try:
        return _all_csv(lines, read), []
    except (ValueError, csv.Error):
        # Something is wrong somewhere: once more, line by line.
        return _each(block, lines, lambda line: read([_fields(line)]))


def numbered(block: Block, columns: Columns) -> Iterator[tuple[int, bytes]]:
    """The entries of a block, each with its line's number. The block was read before, and nothing was wrong."""
    lines = _text_of(block)
    numbers = [number for number, line in enumerate(lines, block.line) if line.strip()]
    return zip(numbers, read_block(block, columns)[0], strict=True)


def _text_of(block: Block) -> list[bytes]:
    with open(block.path, "rb") as file:
        file.seek(block.offset)
        data = file.read(block.size)
    if len(data) != block.size:
        raise WhitelistError(f"{block.path} was cut off while it was read: import it again")
    return data.split(b"\n")


def _all_csv(lines: Sequence[bytes], read: ReadRows) -> list[bytes]:
    """Rows in goes, so that not all their fields are in memory at once. ValueError or csv.Error if any is wrong."""
    reader = csv.reader((line.decode() for line in lines), strict=True)
    entries: list[bytes] = []
    while rows := list(islice(reader, ROWS_A_GO)):
        if filled := [fields for fields in rows if fields]:
            entries += read(filled)
    if len(entries) != sum(1 for line in lines if line.strip()):
        raise ValueError("a field goes over the end of its line, or a row is blank")
    return entries


def _each(
    block: Block, lines: Sequence[bytes], read: Callable[[bytes], list[bytes]]
) -> tuple[list[bytes], list[BadLine]]:
    entries: list[bytes] = []
    bad: list[BadLine] = []
    for number, line in enumerate(lines, block.line):
        if not line.strip():
            continue
        try:
            entries += read(line)
        except (ValueError, csv.Error) as error:
            what = "not UTF-8 text: save the file as such" if isinstance(error, UnicodeDecodeError) else str(error)
            bad.append(BadLine(str(block.path), number, what))
            if len(bad) == BAD_LINES_MAX:
                break
    return entries, bad


def _fields(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode()], strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise ValueError("a quote is opened and not closed on this line") from error
        raise


class _JsonLines:
    """Rows as JSON objects, a line each; the columns are the names of their fields, and may differ from row to row."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        # Numbers with a fraction as they stand there: a limit of 59.9 is not a float.
        self._decoder = msgspec.json.Decoder(dict[str, Any], float_hook=str)
        self._plans: dict[tuple[str, ...], ReadRows] = {}

    def read(self, line: bytes) -> list[bytes]:
        fields = self._decoder.decode(line.removeprefix(_BOM))
        names = tuple(fields)
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = self._columns.plan(names)
        return plan([[_text(name, value) for name, value in fields.items()]])


def _text(name: str, value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case None:
            return ""
        case list() if all(isinstance(each, str) for each in value):
            return ";".join(value)
        case _:
            raise ValueError(f"{name}: expected a text, a number, true, false or a list of texts")
