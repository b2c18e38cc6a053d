"""The commands `forecourt sim inject|clear|faults`: what goes wrong at a running bench.

Each is one call of the control port. Knows no protocol and no pump.
"""

from pathlib import Path

import click

from sim.asking import asked, bench_option, control_option, pump_number
from sim.control import Clear, FaultView, Inject


@click.command()
@click.argument("pump")
@click.argument("fault")
@click.argument("values", nargs=-1, metavar="[count=N] [VALUE=N]...")
@control_option
@bench_option
def inject(pump: str, fault: str, values: tuple[str, ...], control: str | None, folder: Path) -> None:
    """Let something go wrong at PUMP of a running bench. Without count=N it stays so until it is cleared."""
    numbers = dict(_number(value) for value in values)
    count = numbers.pop("count", None)
    order = Inject(pump_number(pump), fault, count, numbers)
    _list(asked(control, folder, lambda client: client.ask(order, list[FaultView])))


@click.command()
@click.argument("pump", required=False)
@click.argument("fault", required=False)
@control_option
@bench_option
def clear(pump: str | None, fault: str | None, control: str | None, folder: Path) -> None:
    """End the faults of PUMP, or of all pumps; only FAULT, if one is named."""
    order = Clear(None if pump is None else pump_number(pump), fault)
    _list(asked(control, folder, lambda client: client.ask(order, list[FaultView])))


@click.command()
@control_option
@bench_option
def faults(control: str | None, folder: Path) -> None:
    """List what goes wrong at a running bench now."""
    _list(asked(control, folder, lambda client: client.faults()))


def _number(word: str) -> tuple[str, int]:
    key, _, value = word.partition("=")
    try:
        return key, int(value)
    except ValueError:
        raise click.UsageError(f"{word!r}: expected KEY=NUMBER, such as count=3") from None


def _list(faults: list[FaultView]) -> None:
    """One a line, as `inject` takes them."""
    for fault in faults:
        count = "" if fault.left is None else f" count={fault.left}"
        values = "".join(f" {key}={value}" for key, value in fault.values.items())
        click.echo(f"pump{fault.pump} {fault.fault}{count}{values}")
