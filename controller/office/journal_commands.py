"""The commands `forecourt journal ...`: what a station wrote down for ever, for people.

Reading leaves a running station alone: it reads a copy of the file. Each error is a sentence and exit code 1.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import click

from controller import keys
from controller.config import StationConfig
from controller.domain import explain as explanation
from controller.domain.explain_quote import explain_quote
from controller.domain.programme_records import Quoted, RulesTaken
from controller.domain.records import Body, DamagedRow, Record
from controller.domain.seams import MS_PER_S
from controller.domain.selection import Selection, token_of
from controller.domain.tokens import KEY_BYTES, TokenKind, check_card_number, fold_plate, token_key
from controller.office.journal_text import csv_head, csv_lines, json_line
from controller.office.station_file import config_option, fail, load_station
from controller.store import checkpoint
from controller.store import journal as journal_file
from controller.store.checkpoint import CheckpointFile
from controller.store.journal import Journal, JournalBusy, JournalError
from controller.store.sealing import ERASED
from controller.store.snapshot import readable

READ_CHUNK = 1_000
KINDS = sorted(str(kind.__struct_config__.tag) for kind in Record.__args__)
_BY_KEY = "key:"


def _file_of(config: StationConfig) -> Path:
    file = config.data / journal_file.FILE_NAME
    if not file.exists():
        fail(f"{file}: there is no journal yet: the station makes one when it runs")
    return file


@click.group()
def journal() -> None:
    """The station's journal: what it wrote down for ever."""


def _filters(command: Any) -> Any:
    """The options by which rows are chosen."""
    for option in reversed(
        (
            click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only rows of this kind."),
            click.option("--pump", type=click.IntRange(1), help="Only what happened at this fuelling point."),
            click.option("--card", help="Only what concerns this card: its whole number."),
            click.option("--plate", help="Only what concerns this plate."),
            click.option("--from", "begin", metavar="TIME", help="From then on: 2026-03-01 or 2026-03-01T14:30."),
            click.option("--to", "end", metavar="TIME", help="Until then, and not then itself."),
            click.option("--last", type=click.IntRange(1), help="Only look at so many rows, from the end."),
        )
    ):
        command = option(command)
    return command


def _selection(
    config: StationConfig, kinds: tuple[str, ...], pump: int | None, tokens: tuple[str | None, str | None],
    times: tuple[str | None, str | None],
) -> Selection:  # fmt: skip
    card, plate = tokens
    if card and plate:
        fail("--card and --plate: ask for one of them")
    key = None
    if card is not None:
        key = _key_of(config, card, TokenKind.CARD)
    elif plate is not None:
        key = _key_of(config, plate, TokenKind.PLATE)
    begin, end = (None if text is None else _moment(text, config.zone) for text in times)
    return Selection(frozenset(kinds), pump, key, begin, end)


def _moment(text: str, zone: ZoneInfo) -> int:
    """A typed time of the station's zone as UTC milliseconds."""
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time: write 2026-03-01 or 2026-03-01T14:30, as the station's clock shows it")
    return round((typed if typed.tzinfo else typed.replace(tzinfo=zone)).timestamp()) * MS_PER_S


def _key_of(config: StationConfig, text: str, kind: TokenKind) -> bytes:
    try:
        value = check_card_number(text) if kind is TokenKind.CARD else fold_plate(text)
        return token_key(keys.list_key(config.keys), kind, value)
    except (ValueError, keys.KeyFileError) as error:
        fail(str(error))


def _rows(store: Journal, chosen: Selection, last: int | None) -> Iterator[Body]:
    after = 0 if last is None else max(store.head_seq - last, 0)
    while rows := store.rows_after(after, READ_CHUNK):
        for row in rows:
            after += 1
            try:
                body = store.opened(row)
            except DamagedRow as error:
                fail(f"row {after}: {error}. Keep the file, and see docs/recovery.md")
            if chosen.takes(body):
                yield body


@journal.command()
@config_option
@_filters
def show(
    path: Path,
    kinds: tuple[str, ...],
    pump: int | None,
    card: str | None,
    plate: str | None,
    begin: str | None,
    end: str | None,
    last: int | None,
) -> None:
    """Print rows as JSON, one a line. The station may run."""
    config = load_station(path)
    chosen = _selection(config, kinds, pump, (card, plate), (begin, end))
    try:
        with readable(_file_of(config)) as store:
            for body in _rows(store, chosen, last):
                click.echo(json_line(body))
    except JournalError as error:
        fail(str(error))


@journal.command()
@config_option
@_filters
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True, atomic=True),
    default="-",
    metavar="FILE",
    help="Where to; whole or not at all.",
)
def export(
    path: Path,
    kinds: tuple[str, ...],
    pump: int | None,
    card: str | None,
    plate: str | None,
    begin: str | None,
    end: str | None,
    last: int | None,
    form: str,
    output: IO[str],
) -> None:
    """Write rows into a file, as JSON lines or as a table (CSV). The station may run."""
    config = load_station(path)
    chosen = _selection(config, kinds, pump, (card, plate), (begin, end))
    count = 0
    try:
        with readable(_file_of(config)) as store:
            rows = _rows(store, chosen, last)
            if form == "csv":
                output.write(csv_head())
            while bodies := list(islice(rows, READ_CHUNK)):
                count += len(bodies)
                if form == "csv":
                    output.write(csv_lines(bodies, config.zone))
                else:
                    output.writelines(json_line(body) + "\n" for body in bodies)
    except JournalError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{output.name} cannot be written ({error.strerror}): make room, or name another file")
    click.echo(f"{count} rows", err=True)


@journal.command()
@config_option
def verify(path: Path) -> None:
    """Check every row against the one before it. The station may run."""
    try:
        with readable(_file_of(load_station(path))) as store:
            click.echo(f"{store.verify()} rows, each follows the one before it. Head: {store.head_hash.hex()}")
    except JournalError as error:
        fail(str(error))


@journal.command()
@config_option
@click.argument("seq", type=click.IntRange(1))
def explain(path: Path, seq: int) -> None:
    """Make the decision of row SEQ again, from what the row alone says, and tell each step. The station may run.

    The quote of a fuel programme (a row of kind quoted) too, by the rules that the journal has. Exit code 1 if the
    answer is not the one in the journal.
    """
    try:
        with readable(_file_of(load_station(path))) as store:
            row = store.row_at(seq)
            if row is None:
                fail(f"there is no row {seq}: the last one is {store.head_seq}")
            body = store.opened(row)
            if isinstance(body.record, Quoted):
                explained = explain_quote(body, _rules_of(store, body.record.version))
            else:
                explained = explanation.explain(body)
    except (DamagedRow, JournalError, explanation.NotADecision) as error:
        fail(f"row {seq}: {error}")
    for line in explained.lines:
        click.echo(line)
    if not explained.same:
        raise SystemExit(1)


def _rules_of(store: Journal, version: str) -> RulesTaken | None:
    """The rules of a version, as they were taken down when the station first quoted by them."""
    rows = (body.record for body in _rows(store, Selection(frozenset({"rules"})), None))
    return next((record for record in rows if isinstance(record, RulesTaken) and record.version == version), None)


@journal.command()
@config_option
@click.option(
    "--subject",
    required=True,
    metavar="TOKEN",
    help="A card's whole number, a plate, or key:... as `show` prints the key of a token.",
)
def erase(path: Path, subject: str) -> None:
    """Make unreadable what the journal shows of a person. The chain stays whole; the station must not run."""
    config = load_station(path)
    key = _subject(config, subject)
    file = _file_of(config)
    shown = {True: 0, False: 0}
    try:
        CheckpointFile(config.data / checkpoint.FILE_NAME).destroy()
        store = Journal(file)
        try:
            store.erase(key)
            for body in store.replay():
                token = token_of(body.record)
                if token is not None and token.key == key:
                    shown[token.shown == ERASED] += 1
        finally:
            store.close()
    except JournalBusy as error:
        fail(f"{error}, erase, and start it again")
    except (JournalError, OSError) as error:
        fail(str(error))
    click.echo(f"{shown[True]} rows show nothing of it any more. The chain is whole. Head: {store.head_hash.hex()}")
    if shown[False]:
        click.echo(f"{shown[False]} rows of before there were seals show it masked, and always will")


def _subject(config: StationConfig, text: str) -> bytes:
    if text.startswith(_BY_KEY):
        try:
            key = bytes.fromhex(text.removeprefix(_BY_KEY))
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            fail(
                f"{text!r}: expected {_BY_KEY} and {2 * KEY_BYTES} hex digits, as `forecourt journal show` prints them"
            )
        return key
    looks_like_a_card = text.replace(" ", "").isdecimal()
    return _key_of(config, text, TokenKind.CARD if looks_like_a_card else TokenKind.PLATE)
