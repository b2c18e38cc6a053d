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

from sim.bench import BenchError, serve
from sim.loop import VirtualLoop, run
from sim.world import SALES_A_DAY, Disagreement, Plan, Report, World


@click.group()
def sim() -> None:
    """The simulator: devices on real ports, and whole days in virtual time."""


@sim.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("bench.toml"), show_default=True)
@click.option("--verbose", is_flag=True, help="Say on stderr what customers do and what is printed.")
def bench(path: Path, verbose: bool) -> None:
    """Simulated pumps, readers and a printer on real ports, until SIGTERM. Prints the port of each device."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        asyncio.run(serve(path, click.echo))
    except BenchError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error


@sim.command()
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
