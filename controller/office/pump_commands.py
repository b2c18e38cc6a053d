"""The commands `forecourt pump ...`: what a till can ask of the pumps, from a shell, over the station's API.

Each turns words into commands of the desk, and a refusal into its sentence and exit code 1. Knows the API only.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import click

from controller import keys
from controller.api.client import ClientError, StationClient
from controller.domain.desk import (
    AnswerNeed,
    AuthorisePoint,
    ChangePrice,
    CloseAsTest,
    Command,
    CommandResult,
    ExpectCard,
    IdentifyPump,
    LeaseDelivery,
    Need,
    PayDelivery,
    PointView,
    ReadPumpTotals,
    ReleaseDelivery,
    ResumePoint,
    SeePlate,
    Shown,
    Snapshot,
    StopAll,
    StopPoint,
    SuspendPoint,
    UnpaidView,
)
from controller.domain.quantities import Unit, decimal_text, parse_decimal, volume_text
from controller.domain.records import TenderKind
from controller.machine import MachineRandomness

ID_BYTES = 16
"""Enough that no two commands ever have the same id."""
VOLUME_DECIMALS = 3
_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Refused(Exception):
    """The station did not do it; the text says why."""


class Desk:
    """A till's end of one call of a command."""

    def __init__(self, client: StationClient) -> None:
        self._client = client

    async def snapshot(self) -> Snapshot:
        snapshots = cast("AsyncGenerator[Snapshot, None]", self._client.snapshots())
        async with contextlib.aclosing(snapshots):
            return await anext(snapshots)

    async def order(self, command: Command) -> CommandResult:
        """Have it done. _Refused if it is not."""
        result = await self._client.command(command)
        if not result.done:
            raise _Refused(result.text or result.reason)
        return result

    async def delivery(self, delivery_id: str) -> tuple[Snapshot, UnpaidView]:
        """An unpaid delivery, opened at this till."""
        await self.order(LeaseDelivery(new_id(), delivery_id))
        snapshot = await self.snapshot()
        for point in snapshot.points:
            for unpaid in point.unpaid:
                if unpaid.delivery_id == delivery_id:
                    return snapshot, unpaid
        raise _Refused("This delivery has changed meanwhile: look at `forecourt pump list`, and try again")

    async def question(self, number: int, need: Need) -> str:
        """The id of what this pump asks, if it is this; empty if nothing of the kind is asked."""
        points = (await self.snapshot()).points
        return next((point.question for point in points if (point.number, point.need) == (number, need)), "")

    async def order_or_leave(self, command: PayDelivery | CloseAsTest) -> CommandResult:
        """As `order`, for a delivery that is open here: one that is not closed by it is left to the other tills."""
        try:
            return await self.order(command)
        except _Refused:
            await self._client.command(ReleaseDelivery(new_id(), command.delivery_id))
            raise


def new_id() -> str:
    return MachineRandomness().random_bytes(ID_BYTES).hex()


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)


def run(station: str, token_file: Path, work: Callable[[Desk], Awaitable[None]]) -> None:
    async def main() -> None:
        client = StationClient(station, keys.read_secret(token_file))
        try:
            await work(Desk(client))
        finally:
            await client.close()

    try:
        asyncio.run(main())
    except (_Refused, ClientError, keys.KeyFileError) as error:
        _fail(str(error))


def at_station(command: _Function) -> _Function:
    """Where the station is, and as which till to speak."""
    token = click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        required=True,
        help="File with a till's token: the station knows by it who speaks.",
    )
    address = click.option(
        "--station", default="http://127.0.0.1:7733", show_default=True, help="Address of the station's API."
    )
    return address(token(command))


_number = click.argument("number", metavar="PUMP", type=int)
_delivery = click.argument("delivery", metavar="DELIVERY")


@click.group()
def pump() -> None:
    """Give a running station's pumps orders, as a till."""


@pump.command("list")
@at_station
def list_(station: str, token_file: Path) -> None:
    """Show every pump: its state, what it shows, and what waits to be paid there."""

    async def work(desk: Desk) -> None:
        snapshot = await desk.snapshot()
        for point in snapshot.points:
            click.echo(_line(point, snapshot))
            for unpaid in point.unpaid:
                volume = volume_text(unpaid.volume_ml, Unit(unpaid.unit))
                click.echo(f"   unpaid {unpaid.delivery_id}  {unpaid.grade}  {volume}  {_money(unpaid, snapshot)}")
        for trouble in snapshot.troubles:
            click.echo(f"! {trouble.where}: {trouble.text}")

    run(station, token_file, work)


@pump.command()
@_number
@at_station
@click.option("--volume", help="Stop at so many units, such as 20 or 12.5.")
@click.option("--amount", help="Stop at so much money, such as 500.")
@click.option("--plate", default="", help="On the account of this plate; without one of these, to be paid here.")
@click.option("--phone", default="", help="Of this phone number: headquarters sends it a code, to be answered.")
@click.option("--voucher", default="", help="Of the voucher with this id.")
@click.option("--code", default="", help="Of the holder of this code: the text that a scanner types.")
@click.option(
    "--grade", default="", help="The fuel, by its code or its nozzle's number, where the pump does not say it."
)
def authorise(
    number: int,
    station: str,
    token_file: Path,
    volume: str | None,
    amount: str | None,
    plate: str,
    phone: str,
    voucher: str,
    code: str,
    grade: str,
) -> None:
    """Let a calling PUMP deliver."""
    if volume is not None and amount is not None:
        _fail("A preset is one of money or volume: give --volume or --amount, not both")

    async def work(desk: Desk) -> None:
        volume_ml = None if volume is None else scaled(volume, VOLUME_DECIMALS, "--volume")
        amount_minor = None
        if amount is not None:
            amount_minor = scaled(amount, (await desk.snapshot()).decimals, "--amount")
        shown = Shown(plate=plate, phone=phone, voucher=voucher, qr=code)
        shown_or_cash = shown if shown != Shown() else None
        result = await desk.order(AuthorisePoint(new_id(), number, "", volume_ml, amount_minor, grade, shown_or_cash))
        click.echo(f"pump {number}: {result.text or 'may deliver'}")

    run(station, token_file, work)


@pump.command("see-plate")
@_number
@click.argument("plate", metavar="PLATE")
@at_station
def see_plate(number: int, plate: str, station: str, token_file: Path) -> None:
    """Say that a camera or a tag reader has read PLATE at a PUMP: with that device's own token."""
    _order(station, token_file, SeePlate(new_id(), number, plate), f"pump {number}: the plate was told")


@pump.command()
@_number
@click.argument("need", metavar="NEED", type=click.Choice([need.value for need in Need if need != Need.HEADQUARTERS]))
@click.argument("value", metavar="VALUE", default="")
@at_station
@click.option("--question", default="", help="Its id, from a snapshot; else whatever PUMP asks for NEED right now.")
def answer(number: int, need: str, value: str, station: str, token_file: Path, question: str) -> None:
    """Answer what a PUMP waits for: its NEED is plate, odometer, code, pin, phone_code or grade (a code, or a
    nozzle's number).

    Without a VALUE it is asked for; a PIN is not shown while it is typed.
    """

    async def work(desk: Desk) -> None:
        # Before the answer is typed: what is asked meanwhile shall not get it.
        asked = question or await desk.question(number, Need(need))
        typed = value or click.prompt(need, hide_input=need == Need.PIN)
        result = await desk.order(AnswerNeed(new_id(), number, Need(need), typed, asked))
        click.echo(f"pump {number}: {result.text or 'may deliver'}")

    run(station, token_file, work)


@pump.command()
@_number
@at_station
def card(number: int, station: str, token_file: Path) -> None:
    """The next card at this till's own reader is for PUMP, for a minute."""
    _order(station, token_file, ExpectCard(new_id(), number), f"pump {number}: show the card")


@pump.command()
@_number
@at_station
def stop(number: int, station: str, token_file: Path) -> None:
    """Stop a PUMP: its delivery ends."""
    _order(station, token_file, StopPoint(new_id(), number), f"pump {number}: told to stop")


@pump.command("stop-all")
@at_station
def stop_all(station: str, token_file: Path) -> None:
    """Stop all pumps."""
    _order(station, token_file, StopAll(new_id()), "all pumps: told to stop")


@pump.command()
@_number
@at_station
def suspend(number: int, station: str, token_file: Path) -> None:
    """Hold the running delivery of a PUMP."""
    _order(station, token_file, SuspendPoint(new_id(), number), f"pump {number}: held")


@pump.command()
@_number
@at_station
def resume(number: int, station: str, token_file: Path) -> None:
    """Let the held delivery of a PUMP go on."""
    _order(station, token_file, ResumePoint(new_id(), number), f"pump {number}: goes on")


@pump.command()
@_number
@at_station
def totals(number: int, station: str, token_file: Path) -> None:
    """Read the totalisers of an idle PUMP."""

    async def work(desk: Desk) -> None:
        result = await desk.order(ReadPumpTotals(new_id(), number))
        for total in result.totals:
            volume = volume_text(total.totaliser_ml, Unit(total.unit))
            click.echo(f"pump {number}, nozzle {total.nozzle}  {total.grade}  {volume}")

    run(station, token_file, work)


@pump.command()
@_number
@at_station
def identity(number: int, station: str, token_file: Path) -> None:
    """Ask a PUMP what it is."""

    async def work(desk: Desk) -> None:
        result = await desk.order(IdentifyPump(new_id(), number))
        click.echo(f"pump {number}: {result.text}")

    run(station, token_file, work)


@pump.command("price")
@click.argument("grade", metavar="GRADE")
@click.argument("price", metavar="PRICE")
@at_station
def price_(grade: str, price: str, station: str, token_file: Path) -> None:
    """Change the PRICE of a unit of GRADE (its code); each pump takes it when it is idle."""
    _order(station, token_file, ChangePrice(new_id(), grade, price), f"{grade}: {price} from the next sale on")


@pump.command()
@_delivery
@at_station
@click.option("--cash", metavar="GIVEN", help="Cash that was given; without it, exactly the amount.")
@click.option("--card", is_flag=True, help="Paid by bank card.")
def pay(delivery: str, station: str, token_file: Path, cash: str | None, card: bool) -> None:
    """Take the money for an unpaid DELIVERY (its id, from `forecourt pump list`)."""
    if cash is not None and card:
        _fail("A delivery is paid in one way: give --cash or --card, not both")

    async def work(desk: Desk) -> None:
        snapshot, unpaid = await desk.delivery(delivery)
        given = unpaid.amount_minor if cash is None else scaled(cash, snapshot.decimals, "--cash")
        tender = TenderKind.BANK_CARD if card else TenderKind.CASH
        result = await desk.order_or_leave(PayDelivery(new_id(), delivery, tender, given))
        click.echo(result.receipt.rstrip())
        click.echo(f"change {decimal_text(result.change_minor, snapshot.decimals)} {snapshot.currency}")

    run(station, token_file, work)


@pump.command("test-measure")
@_delivery
@at_station
def test_measure(delivery: str, station: str, token_file: Path) -> None:
    """Close an unpaid DELIVERY without a sale: it was measured, and is back in the tank."""

    async def work(desk: Desk) -> None:
        _, unpaid = await desk.delivery(delivery)
        await desk.order_or_leave(CloseAsTest(new_id(), delivery))
        click.echo(f"{delivery}: {volume_text(unpaid.volume_ml, Unit(unpaid.unit))} back in the tank, no sale")

    run(station, token_file, work)


# ---- inside


def _order(station: str, token_file: Path, command: Command, said: str) -> None:
    async def work(desk: Desk) -> None:
        await desk.order(command)
        click.echo(said)

    run(station, token_file, work)


def scaled(text: str, decimals: int, option: str) -> int:
    """Typed decimals as a whole number of the smallest unit."""
    try:
        value, given = parse_decimal(text)
    except ValueError as error:
        raise _Refused(f"{option}: {error}") from error
    if given > decimals:
        raise _Refused(f"{option}: {text!r} has more decimals than {decimals}")
    return int(value * 10 ** (decimals - given))


def _line(point: PointView, snapshot: Snapshot) -> str:
    parts = [f"{point.number:>2} {point.state}"]
    if point.grade:
        parts.append(f"{point.grade} {point.price}")
    if point.choices and not point.need:
        parts.append(", ".join(f"{choice.nozzle} {choice.grade} {choice.price}" for choice in point.choices))
    if point.amount_minor:
        parts += [volume_text(point.volume_ml, Unit(point.unit)), _money(point, snapshot)]
    return "  ".join([*parts, *filter(None, (point.token, point.text))])


def _money(view: PointView | UnpaidView, snapshot: Snapshot) -> str:
    return f"{decimal_text(view.amount_minor, snapshot.decimals)} {snapshot.currency}"
