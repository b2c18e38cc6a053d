"""The commands `forecourt station allot`, `unlock-pin` and `release-purse`: what a manager says of money and PINs.

All are commands to a running station, over its API; a refusal is its sentence and exit code 1.
"""

from pathlib import Path

import click

from controller.domain.desk import Allot, ReleasePurse, UnlockPin
from controller.pump_commands import Desk, at_station, new_id, run, scaled


@click.command()
@click.argument("amount", metavar="AMOUNT")
@click.option("--id", "allotment_id", required=True, help="Headquarters' name of it: an allotment counts once.")
@click.option("--account", default="", help="For all cards of this prepaid account.")
@click.option("--card", default="", help="For this card number only, which then spends from its own.")
@at_station
def allot(amount: str, allotment_id: str, account: str, card: str, station: str, token_file: Path) -> None:
    """Set AMOUNT apart at this station: what a prepaid account may spend here without asking headquarters."""

    async def work(desk: Desk) -> None:
        decimals = (await desk.snapshot()).decimals
        amount_minor = scaled(amount, decimals, "AMOUNT")
        await desk.order(Allot(new_id(), allotment_id, amount_minor, account, card))
        click.echo(f"{amount} set apart for {account or 'the card'}, as {allotment_id}")

    run(station, token_file, work)


@click.command("unlock-pin")
@click.option("--card", default="", help="The card's whole number.")
@click.option("--plate", default="", help="Or the plate.")
@at_station
def unlock_pin(card: str, plate: str, station: str, token_file: Path) -> None:
    """Forget the wrong PINs of a card or a plate at this station: three in a row had locked it."""

    async def work(desk: Desk) -> None:
        await desk.order(UnlockPin(new_id(), card, plate))
        click.echo("the PIN may be tried again")

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
