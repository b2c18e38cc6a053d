"""The commands `forecourt sim pumps|lift|squeeze|hang-up|type|...`: a customer's eyes and hands at a running bench.

Each is one call of the control port. Knows no protocol and no pump.
"""

from pathlib import Path

import click

from controller.domain.keypad_words import COLUMNS
from sim.asking import asked, bench_option, control_option, pump_number
from sim.control import (
    Ask,
    AskKeypads,
    AskPumps,
    HangUp,
    InsertCard,
    KeypadView,
    Lift,
    PumpView,
    RemoveCard,
    Squeeze,
    TypeKeys,
)

_pump = click.argument("pump")


@click.command()
@control_option
@bench_option
def pumps(control: str | None, folder: Path) -> None:
    """Show each pump of a running bench as one sees it: display, lamp, nozzles, counters, faults."""
    for view in asked(control, folder, lambda client: client.ask(AskPumps(), list[PumpView])):
        _show(view)


@click.command()
@_pump
@click.argument("nozzle", type=click.IntRange(min=1), default=1)
@control_option
@bench_option
def lift(pump: str, nozzle: int, control: str | None, folder: Path) -> None:
    """Take a NOZZLE (1) of PUMP out."""
    _do(Lift(pump_number(pump), nozzle), control, folder)


@click.command()
@_pump
@click.argument("volume_ml", metavar="ML", type=click.IntRange(min=1))
@control_option
@bench_option
def squeeze(pump: str, volume_ml: int, control: str | None, folder: Path) -> None:
    """Hold the trigger at PUMP for so many thousandths of a litre more; fuel runs once the pump is let go."""
    _do(Squeeze(pump_number(pump), volume_ml), control, folder)


@click.command("hang-up")
@_pump
@control_option
@bench_option
def hang_up(pump: str, control: str | None, folder: Path) -> None:
    """Put the nozzle of PUMP back."""
    _do(HangUp(pump_number(pump)), control, folder)


@click.command("insert-card")
@_pump
@click.argument("card")
@control_option
@bench_option
def insert_card(pump: str, card: str, control: str | None, folder: Path) -> None:
    """Hold a CARD of the demonstration, by its number, to the reader of PUMP."""
    _do(InsertCard(pump_number(pump), card), control, folder)


@click.command("remove-card")
@_pump
@control_option
@bench_option
def remove_card(pump: str, control: str | None, folder: Path) -> None:
    """Take the card away from the reader of PUMP."""
    _do(RemoveCard(pump_number(pump)), control, folder)


@click.command("type")
@_pump
@click.argument("keys", nargs=-1, required=True, metavar="KEYS...")
@control_option
@bench_option
def type_keys(pump: str, keys: tuple[str, ...], control: str | None, folder: Path) -> None:
    """Press KEYS at the keypad of PUMP: digits, and the words enter, clear and cancel."""
    single = tuple(key for word in keys for key in (word if word.isdecimal() else (word,)))
    order = TypeKeys(pump_number(pump), single)
    _show_keypads(asked(control, folder, lambda client: client.ask(order, list[KeypadView])))


@click.command()
@control_option
@bench_option
def keypads(control: str | None, folder: Path) -> None:
    """Show what a driver reads at each keypad of a running bench; a PIN is stars there."""
    _show_keypads(asked(control, folder, lambda client: client.ask(AskKeypads(), list[KeypadView])))


def _show_keypads(views: list[KeypadView]) -> None:
    for view in views:
        there = "" if view.connected else "  no station is connected"
        first, second = (row.ljust(COLUMNS) for row in view.rows)
        click.echo(f"keypad{view.point}  [{first}]{there}\n{'':9}[{second}]")


def _do(what: Ask, control: str | None, folder: Path) -> None:
    _show(asked(control, folder, lambda client: client.ask(what, PumpView)))


def _show(view: PumpView) -> None:
    out = f"nozzle {view.nozzle_out} out" if view.nozzle_out else "nozzles in"
    flows = ", fuel runs" if view.flowing else ""
    shown = f"{view.volume_ml} ml, {view.amount_minor} minor"
    click.echo(f"pump{view.pump} {view.protocol}  {view.state}, lamp {view.lamp}, {out}{flows}  {shown}")
    for number, nozzle in enumerate(view.nozzles, 1):
        counted = f"counters {nozzle.totaliser_ml} ml, {nozzle.totaliser_minor} minor"
        click.echo(f"   nozzle {number}  {nozzle.grade} {nozzle.price}  {counted}")
    for fault in view.faults:
        click.echo(f"   fault {fault}")
