"""The commands `forecourt station allot`, `unlock-pin`, `unreserve` ...: what a manager says of money and locks.

All are commands to a running station, over its API; a refusal is its sentence and exit code 1.
"""

from pathlib import Path

import click

from controller.domain.desk import Allot, ReleasePurse, ResetOdometer, UnlockPin, Unreserve
from controller.office.pump_commands import Desk, at_station, new_id, run, scaled


@click.command()
@click.argument("amount", metavar="AMOUNT")
@click.option("--id", "allotment_id", required=True, help="Headquarters' name of it: an allotment counts once.")
@click.option("--account", default="", help="For all cards of this prepaid account.")
@click.option("--card", default="", help="For this card number only, which then spends from its own.")
@click.option("--valid-until", default="", metavar="DATE", help="Its last day, such as 2026-12-31; else it lasts.")
@at_station
def allot(
    amount: str, allotment_id: str, account: str, card: str, valid_until: str, station: str, token_file: Path
) -> None:
    """Set AMOUNT apart at this station: what a prepaid account may spend here without asking headquarters."""

    async def work(desk: Desk) -> None:
        decimals = (await desk.snapshot()).decimals
        amount_minor = scaled(amount, decimals, "AMOUNT")
        await desk.order(Allot(new_id(), allotment_id, amount_minor, account, card, valid_until))
        click.echo(f"{amount} set apart for {account or 'the card'}, as {allotment_id}")

    run(station, token_file, work)


@click.command("unlock-pin")
@click.option("--card", default="", help="The card's whole number.")
@click.option("--plate", default="", help="Or the plate.")
@at_station
def unlock_pin(card: str, plate: str, station: str, token_file: Path) -> None:
    """Forget the wrong PINs and codes of a card or a plate at this station: three in a row had locked it."""

    async def work(desk: Desk) -> None:
        await desk.order(UnlockPin(new_id(), card, plate))
        click.echo("the PIN may be tried again")

    run(station, token_file, work)


@click.command("reset-odometer")
@click.option("--card", default="", help="The card's whole number.")
@click.option("--plate", default="", help="Or the plate.")
@at_station
def reset_odometer(card: str, plate: str, station: str, token_file: Path) -> None:
    """Forget the last odometer of a card or a plate at this station: the next reading is taken as it is."""

    async def work(desk: Desk) -> None:
        await desk.order(ResetOdometer(new_id(), card, plate))
        click.echo("the next odometer is taken as it is")

    run(station, token_file, work)


@click.command()
@click.argument("which", metavar="POINT|ROW")
@click.option("--spent", metavar="AMOUNT", default=None, help="What ran out of it, in money; the rest is free again.")
@click.option("--whole", is_flag=True, help="Or: all of it counts as spent.")
@click.option("--reason", required=True, help="How that is known: it stays in the journal.")
@at_station
def unreserve(which: str, spent: str | None, whole: bool, reason: str, station: str, token_file: Path) -> None:
    """End what is reserved for a lost delivery, at a pump that cannot tell it: by the pump's number, or by its row."""
    if (spent is None) != whole:
        raise click.UsageError("say one of --spent AMOUNT and --whole")

    async def work(desk: Desk) -> None:
        decimals = (await desk.snapshot()).decimals
        spent_minor = None if spent is None else scaled(spent, decimals, "--spent")
        point, row = (int(which), "") if which.isdecimal() else (0, which)
        await desk.order(Unreserve(new_id(), point, row, spent_minor, reason))
        click.echo(f"{spent or 'all of it'} counts as spent, and nothing of it is reserved any more")

    run(station, token_file, work)


@click.command("release-purse")
@click.argument("release", metavar="TEXT")
@at_station
def release_purse(release: str, station: str, token_file: Path) -> None:
    """Close an open purse: TEXT is what headquarters signed when it gave the rest back (`forecourt card release`)."""

    async def work(desk: Desk) -> None:
        await desk.order(ReleasePurse(new_id(), release))
        click.echo("the purse's case is closed")

    run(station, token_file, work)
