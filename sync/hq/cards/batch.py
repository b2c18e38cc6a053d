"""Many cards from a CSV file, one line a card: read as a whole and checked before the first card is touched.

    card_number,entitlement,plates,pin
    7001234567890123,fleet.toml,34ABC123,4711
    7001234567890131,fleet.toml,34ABC124 34ABC125,

`entitlement` is a file beside the CSV; `plates` (spaces between them) and `pin` may be missing, and replace those of
the file. What is done stands in a second file, line by line, so that a batch that was stopped goes on where it was.
Knows no disk and no reader.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from card_io import errors
from card_io.application import masked
from card_io.entitlement_form import EntitlementForm, read_form
from sync.hq.cards.network import OfficeError
from sync.hq.cards.office import CardSlot

COLUMNS = ("card_number", "entitlement", "plates", "pin")
NEEDED = COLUMNS[:2]
NUMBER_DIGITS = range(8, 20)
NUMBER_RULE = "a card number has 8 to 19 digits and nothing else"

# After these the next card would fare no better: the batch stops.
STOPPING = (
    errors.ReaderGone,
    errors.ServiceDown,
    errors.ReaderDenied,
    errors.ReaderExtraMissing,
    errors.SharingViolation,
    errors.NoCard,
    errors.KeyMissing,
)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One card to be. `line` counts from 1, as editors do; the head is line 1."""

    line: int
    card_number: str = field(repr=False)
    form: EntitlementForm = field(repr=False)

    @property
    def key(self) -> str:
        """Names the card in the file of what is done, and does not show its number."""
        return hashlib.sha256(self.card_number.encode()).hexdigest()[:16]


class DoneLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written when a line is done."""

    line: int
    card: str
    key: str


def parse_batch(text: str, name: str, read_file: Callable[[str], bytes]) -> list[BatchLine]:
    """All lines. `read_file` gives an entitlement's file. Raises OfficeError with the first line that is wrong."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    lines: list[BatchLine] = []
    seen: dict[str, int] = {}
    forms: dict[str, bytes] = {}
    try:
        columns = tuple(reader.fieldnames or ())
        if not set(NEEDED) <= set(columns) <= set(COLUMNS) or len(set(columns)) != len(columns):
            raise OfficeError(f"{name}, line 1: expected the columns {', '.join(NEEDED)}, and perhaps plates and pin")
        for row in reader:
            at = reader.line_num
            if None in row or None in row.values():
                raise OfficeError(f"{name}, line {at}: expected {len(columns)} fields, as in line 1")
            number = row["card_number"].strip()
            if not (number.isascii() and number.isdigit() and len(number) in NUMBER_DIGITS):
                raise OfficeError(f"{name}, line {at}: {NUMBER_RULE}")
            if (before := seen.setdefault(number, at)) != at:
                raise OfficeError(f"{name}, line {at}: the card number stands in line {before} already")
            form = _form(row, forms, read_file, f"{name}, line {at}")
            lines.append(BatchLine(at, number, form))
    except csv.Error as error:
        raise OfficeError(f"{name}, line {reader.line_num}: not CSV ({error})") from None
    if not lines:
        raise OfficeError(f"{name} names no card: write one a line, under the line of columns")
    return lines


def _form(
    row: dict[str, str], forms: dict[str, bytes], read_file: Callable[[str], bytes], where: str
) -> EntitlementForm:
    file = row["entitlement"].strip()
    try:
        if file not in forms:
            forms[file] = read_file(file)
        form = read_form(forms[file], file)
        if plates := row.get("plates", "").split():
            form = msgspec.structs.replace(form, plates=tuple(plates))
        if pin := row.get("pin", "").strip():
            form = msgspec.structs.replace(form, pin=pin)
        form.check()
    except errors.CardError as error:
        raise OfficeError(f"{where}: {error}") from None
    except OSError as error:
        raise OfficeError(f"{where}: {file} cannot be read ({error.strerror})") from None
    return form


def parse_done(data: bytes, name: str) -> set[str]:
    """The keys of the lines that are done. A last line without its end was never written whole."""
    try:
        return {msgspec.json.decode(line, type=DoneLine).key for line in data.split(b"\n")[:-1]}
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise OfficeError(f"{name} does not say what is done: delete it, and cards that are complete stay so") from None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Numbers of lines. `stopped`: why it did not come to its end, in words."""

    done: int
    failed: tuple[int, ...]
    left: int
    stopped: str = ""


def run_batch(
    lines: Sequence[BatchLine],
    done: set[str],
    slot: CardSlot,
    issue: Callable[[BatchLine], bytes],
    note: Callable[[bytes], None],
    say: Callable[[str], None],
) -> BatchResult:
    """Issues what is not done yet, each on the next card. `issue` gives the card's UID.

    `note` takes a line of the file of what is done, and returns when it is on disk. `say` is the progress, in words.
    """
    todo = [line for line in lines if line.key not in done]
    finished = 0
    failed: list[int] = []
    if len(todo) < len(lines):
        say(f"{len(lines) - len(todo)} of {len(lines)} cards are done already")
    for index, line in enumerate(todo):
        what = f"line {line.line}, {masked(line.card_number)}"
        try:
            slot.present(f"line-{line.line}")
            uid = issue(line)
        except (*STOPPING, OfficeError) as error:
            return BatchResult(finished, tuple(failed), len(todo) - index, f"{what}: {error}")
        except errors.CardError as error:
            failed.append(line.line)
            say(f"{what}: FAILED: {error}")
        else:
            note(msgspec.json.encode(DoneLine(line.line, masked(line.card_number), line.key)) + b"\n")
            finished += 1
            say(f"{what}: done, card ..{uid[-3:].hex().upper()} ({len(lines) - len(todo) + finished} of {len(lines)})")
        if index + 1 < len(todo):
            try:
                slot.removed()
            except STOPPING as error:
                return BatchResult(finished, tuple(failed), len(todo) - index - 1, str(error))
    return BatchResult(finished, tuple(failed), 0)
