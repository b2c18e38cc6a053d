"""The command `forecourt sim world`: a plan into a report, a disagreement into a sentence and exit code 1."""

import logging
import sys
import tempfile
import zoneinfo
from pathlib import Path
from time import monotonic

import click
import msgspec

from sim.loop import VirtualLoop, run
from sim.world import SALES_A_DAY, Disagreement, Plan, Report, World


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
