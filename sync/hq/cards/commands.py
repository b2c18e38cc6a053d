"""The commands `forecourt card ...`: what headquarters' card office does with a card on its desk.

Each turns words into one call of `CardOffice`, and an error into a sentence and an exit code (see `desk`).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import click

from card_io.application import masked
from card_io.entitlement_form import EntitlementForm, read_form
from card_io.issue import Issued
from card_io.release import Release
from sync.hq.cards.batch import BatchLine, BatchResult, parse_batch, parse_done, run_batch
from sync.hq.cards.desk import (
    at_the_desk,
    fail,
    now_ms,
    office_option,
    opened,
    passphrase_option,
    said,
    with_reader,
)
from sync.hq.cards.folder import OfficeFolder
from sync.hq.cards.log import LoadOutcome, Released
from sync.hq.cards.network import OfficeError
from sync.hq.cards.office import CardOffice, CardSlot
from sync.hq.cards.renewal import parse_numbers, renew, to_renew
from sync.hq.cards.showing import described, tail_of

DONE_SUFFIX = ".done"

_number = click.option("--card-number", metavar="N", help="The card's number, 8 to 19 digits.")
_needed_number = click.option("--card-number", metavar="N", required=True, help="The card's number, 8 to 19 digits.")
_entitlement = click.option(
    "--entitlement",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What the card may: a TOML file, see docs/cards.md.",
)
_lock = click.option(
    "--lock/--no-lock",
    default=True,
    help="Give the card itself a key of ours, so that nobody else wipes it (default).",
)


@click.group()
def card() -> None:
    """Headquarters' card office: issue cards, read and verify them, load them, renew their keys, wipe them."""


@card.command()
@with_reader
@_number
@_entitlement
@click.option(
    "--batch",
    metavar="FILE.csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Many cards, one a line; run again, it goes on where it was stopped.",
)
@_lock
def issue(card_number: str | None, entitlement: Path | None, batch: Path | None, lock: bool, **desk: Any) -> None:
    """Make a blank card one of the network's. A card that was torn away: give the same command again."""
    if batch is not None:
        if card_number or entitlement:
            raise click.UsageError("a batch names its cards and entitlements itself: leave out the other options")
        _issue_batch(batch, lock, desk)
        return
    if card_number is None or entitlement is None:
        raise click.UsageError("say which card: --card-number and --entitlement, or --batch")
    with said():
        form = _form(entitlement)
    with at_the_desk(**desk) as (office, slot):
        slot.present()
        _say_issued(card_number, office.issue(card_number, form, lock=lock))


@card.command()
@with_reader
@_needed_number
@click.option("--new-number", metavar="N", required=True, help="The new card's number: stations stop cards by number.")
@_entitlement
@_lock
def replace(card_number: str, new_number: str, entitlement: Path | None, lock: bool, **desk: Any) -> None:
    """Make a new card in place of the lost or broken one with --card-number."""
    if entitlement is None:
        raise click.UsageError("say what the new card may: --entitlement FILE")
    if new_number == card_number:
        raise click.UsageError("the new card needs a number of its own: stations stop the old one by its number")
    with said():
        form = _form(entitlement)
    with at_the_desk(**desk) as (office, slot):
        office.check_replace(card_number)
        slot.present()
        _say_issued(new_number, office.issue(new_number, form, lock=lock, replaces=card_number))
    click.echo(f"now stop the old card: give {masked(card_number)} the status stopped in the stations' card list")


@card.command()
@with_reader
def read(**desk: Any) -> None:
    """Say what the card is, what it may, what it was used for, and what is in its purse."""
    with at_the_desk(**desk) as (office, slot):
        slot.present()
        for line in described(office.read()):
            click.echo(line)


@card.command()
@with_reader
def verify(**desk: Any) -> None:
    """Hold the card against cards.toml: its files, their rights, its keys' versions, its entitlement's signature."""
    with at_the_desk(**desk) as (office, slot):
        slot.present()
        verified = office.verify()
        what = f"card {masked(verified.header.card_number)}, UID {tail_of(verified.uid)}"
        for finding in verified.findings:
            click.echo(f"{what}: {finding}")
        if verified.findings:
            raise OfficeError("the card is not as it should be: issue it again, rotate its keys, or wipe it")
        click.echo(f"{what}: as it should be, keys of version {verified.header.key_version}")


@card.command()
@with_reader
@_needed_number
@click.option(
    "--amount", type=click.IntRange(min=1), required=True, help="In the purse's unit (minor units, ml, points)."
)
@click.option(
    "--earlier-load",
    type=click.Choice(["applied", "not_applied"]),
    help="Your word on an earlier load, where the card cannot tell any more.",
)
def load(card_number: str, amount: int, earlier_load: LoadOutcome | None, **desk: Any) -> None:
    """Put value into the card's purse. If it is not known whether that was done (exit code 3), give it again."""
    with at_the_desk(**desk) as (office, slot):
        slot.present()
        result = office.load(card_number, amount, earlier=earlier_load)
        if result.text:
            click.echo(result.text)
        if result.loaded:
            click.echo(f"loaded {result.loaded} onto {masked(card_number)}")
        click.echo(f"in the purse: {result.purse.value}")


@card.command("rotate-keys")
@with_reader
@click.option("--to-version", type=click.IntRange(1, 255), help="Instead of the newest version in the vault.")
@click.option("--all", "all_cards", is_flag=True, help="All cards in use, one after the other, in any order.")
@click.option(
    "--batch",
    metavar="FILE.csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="As --all, but only those of the column card_number, such as those of an issue.",
)
def rotate_keys(to_version: int | None, all_cards: bool, batch: Path | None, **desk: Any) -> None:
    """Put the vault's newest keys on the card. A card that was torn away: give the same command again.

    With many cards it goes on until all are done, or no card comes; given again, it goes on with those that are left.
    """
    if all_cards and batch is not None:
        raise click.UsageError("say which cards: --all, or --batch FILE.csv")
    if all_cards or batch is not None:
        _renew_many(to_version, batch, desk)
        return
    with at_the_desk(**desk) as (office, slot):
        slot.present()
        rotated, version = office.rotate(to_version)
        changed = f"changed keys {', '.join(map(str, rotated.changed))}" if rotated.changed else "nothing to change"
        click.echo(f"card {tail_of(rotated.uid)}: keys of version {version}, {changed}")


@card.command()
@with_reader
@_number
@click.option("--any-card", is_flag=True, help="Whatever card of the network is on the reader, a half-made one too.")
@click.option("--lose-purse", is_flag=True, help="What is in the purse may be lost.")
def wipe(card_number: str | None, any_card: bool, lose_purse: bool, **desk: Any) -> None:
    """Take everything of the network off a card. Its number is never given again."""
    if (card_number is None) != any_card:
        raise click.UsageError("say which card: --card-number N, or --any-card")
    with at_the_desk(**desk) as (office, slot):
        slot.present()
        click.echo(f"card {tail_of(office.wipe(card_number, lose_purse=lose_purse))}: wiped, it can be issued again")


@card.command()
@office_option
@passphrase_option
@click.option("--station", type=click.IntRange(0, 0xFFFFFFFF), required=True, help="The station's number on cards.")
@click.option("--debit", metavar="EPOCH-SEQ", required=True, help="The debit's name, as the station says it.")
@click.option("--amount", type=click.IntRange(min=0), required=True, help="What is left of it, in the purse's unit.")
def release(folder: Path, passphrase_file: Path | None, station: int, debit: str, amount: int) -> None:
    """Sign that headquarters takes over the rest of a debit which the card cannot get back at the station."""
    with said():
        files = OfficeFolder(folder)
        vault = opened(files, passphrase_file)
        epoch, _, seq = debit.partition("-")
        try:
            signed = Release(station, bytes.fromhex(epoch), int(seq), amount).signed(vault)
        except ValueError as error:
            raise OfficeError(f"{debit!r} names no debit ({error}): give it as the station says it") from None
        log = files.log()
        with contextlib.closing(log):
            before = log.register.releases.get((station, debit), amount)
            if before != amount:
                raise OfficeError(f"{before} were released of this debit already: a debit is released once")
            log.note(Released(now_ms(), station, debit, amount))
    click.echo(signed)


def _renew_many(to_version: int | None, batch: Path | None, desk: dict[str, Any]) -> None:
    with said():
        numbers = None if batch is None else parse_numbers(_text(batch), str(batch))
    with at_the_desk(**desk) as (office, slot):
        version = office.target_version(to_version)
        for number, line in (numbers or {}).items():
            if number not in office.register.issued:
                raise OfficeError(f"{batch}, line {line}: this office issued no such card: check the number")
        in_use = to_renew(office.register, version)
        todo = {uid: number for uid, number in in_use.items() if numbers is None or number in numbers}
        if not todo:
            click.echo(f"all of these cards have keys of version {version}")
            return
        renewed = renew(todo, slot, lambda check: office.rotate(version, check), click.echo)
        failed = f", {renewed.failed} failed" if renewed.failed else ""
        click.echo(f"{renewed.done} cards were renewed now{failed}")
        if renewed.left:
            left = f"{len(renewed.left)} are left ({renewed.left_text}): give the same command again, it goes on"
            raise OfficeError("; ".join(filter(None, (renewed.stopped, left))))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OfficeError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise OfficeError(f"{path} cannot be read ({error.strerror})") from None


def _form(path: Path) -> EntitlementForm:
    try:
        return read_form(path.read_bytes(), str(path))
    except OSError as error:
        raise OfficeError(f"{path} cannot be read ({error.strerror}): name the entitlement's file") from None


def _say_issued(number: str, issued: Issued) -> None:
    did = "; ".join(issued.did) or "it was complete already"
    click.echo(f"card {masked(number)}, UID {tail_of(issued.uid)}: {did}")


def _issue_batch(path: Path, lock: bool, desk: dict[str, Any]) -> None:
    done_path = path.with_name(path.name + DONE_SUFFIX)
    with said():
        lines = parse_batch(_text(path), str(path), lambda name: (path.parent / name).read_bytes())
        try:
            done = parse_done(done_path.read_bytes() if done_path.exists() else b"", str(done_path))
        except OSError as error:
            raise OfficeError(f"{done_path} cannot be read ({error.strerror})") from None
    with at_the_desk(**desk) as (office, slot):
        result = _run(lines, done, done_path, lock, office, slot)
        left = f", {result.left} are left" if result.left else ""
        click.echo(f"{result.done} cards were made now{left}")
        if result.failed or result.stopped:
            again = f"give the same command again: it goes on ({done_path} says what is done)"
            failed = f"failed: line {', '.join(map(str, result.failed))}" if result.failed else ""
            raise OfficeError("; ".join(filter(None, (result.stopped, failed, again))))


def _run(
    lines: list[BatchLine], done: set[str], done_path: Path, lock: bool, office: CardOffice, slot: CardSlot
) -> BatchResult:
    def issue_line(line: BatchLine) -> bytes:
        return office.issue(line.card_number, line.form, lock=lock).uid

    try:
        file = done_path.open("r+b" if done_path.exists() else "w+b")
    except OSError as error:
        fail(f"{done_path} cannot be written ({error.strerror})")
    with file:
        data = file.read()
        file.seek(data.rfind(b"\n") + 1)
        file.truncate()  # a line that a power cut left half-written

        def note(line: bytes) -> None:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

        return run_batch(lines, done, slot, issue_line, note, click.echo)
