"""The commands `forecourt sim ...`: each turns words into one call, and an error into a sentence and exit code 1."""

import asyncio
import logging
import sys
import tempfile
import zoneinfo
from pathlib import Path
from time import monotonic

import click
import msgspec

from sim.asking import asked, bench_option, control_option, pump_number
from sim.bench import serve
from sim.bench_file import BenchError
from sim.control import Clear, FaultView, Inject
from sim.loop import VirtualLoop, run
from sim.world import SALES_A_DAY, Disagreement, Plan, Report, World


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("bench.toml"), show_default=True)
@click.option("--verbose", is_flag=True, help="Say on stderr what customers do and what is printed.")
@click.option("--real-port", is_flag=True, help="Allow lines on real serial devices: a simulated pump on a real cable.")
def bench(path: Path, verbose: bool, real_port: bool) -> None:
    """Simulated pumps, readers and a printer on real ports, until SIGTERM. Prints the port of each device."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        asyncio.run(serve(path, click.echo, real_port=real_port))
    except BenchError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error


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


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--hours", type=click.IntRange(1, 24 * 366), default=24, show_default=True)
@click.option("--sales", type=click.IntRange(1), default=SALES_A_DAY, show_default=True, help="Sales a day.")
@click.option("--crashes", type=click.IntRange(0), default=0, show_default=True, help="How often the controller dies.")
@click.option("--no-skip", is_flag=True, help="Make every quiet poll too: the same result, far slower.")
def world(seed: int, hours: int, sales: int, crashes: int, no_skip: bool) -> None:
    """A station's days in virtual time. The last line is a report as JSON; the same seed gives the same report."""
    # The operating system's time zones differ between machines: the pinned package's do not.
    zoneinfo.reset_tzpath(to=())
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    plan = Plan(seed, hours, sales_a_day=sales, crashes=crashes, skip=not no_skip)
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="forecourt-world-") as folder:

        async def live(loop: VirtualLoop) -> Report:
            return await World(loop, plan, Path(folder)).run()

        try:
            report = run(live)
        except Disagreement as error:
            click.echo(str(error), err=True)
            raise SystemExit(1) from error
    took_s = monotonic() - began
    click.echo(f"{hours} hours in {took_s:.1f} s, {hours * 3600 / took_s:.0f} : 1", file=sys.stderr)
    click.echo(msgspec.json.encode(report).decode())
