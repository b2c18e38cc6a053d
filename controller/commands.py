"""The commands `forecourt station ...`.

Each turns words into one call, and an error into a sentence and exit code 1.
"""

import asyncio
import logging
import sys
from pathlib import Path

import click

from controller.daemon import CannotRun, LinkFactory, run_station
from controller.event_loop import StationLoop
from controller.install import CONFIG_FILE, PUBLIC_KEY, TILLS, FolderInUse, install, template
from controller.keys import SECRET_BYTES, KeyFileError, read_hex
from controller.machine import MachineRandomness
from controller.office.manager_commands import allot, release_purse, reset_odometer, unlock_pin, unreserve
from controller.office.station_file import config_option, fail, load_station


@click.group()
def station() -> None:
    """The station: set it up, run it."""


@station.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--simulated", is_flag=True, help="For simulated devices only.")
@click.option(
    "--list-key",
    "list_key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The network's list.key (forecourt whitelist keygen); else a new one, and lists of its own.",
)
def init(folder: Path, simulated: bool, list_key: Path | None) -> None:
    """Write a commented station.toml, keys and till tokens into DIR."""
    try:
        install(
            folder,
            template(simulated=simulated),
            MachineRandomness().random_bytes,
            tills=TILLS,
            card_key=None,
            list_key=None if list_key is None else read_hex(list_key, SECRET_BYTES),
        )
    except (FolderInUse, KeyFileError, OSError) as error:
        fail(str(error))
    click.echo(f"{folder / CONFIG_FILE} and {folder / 'keys'} written. Next:")
    click.echo(f"  edit {folder / CONFIG_FILE}")
    click.echo(f"  forecourt hq enrol STATION_ID {folder / 'keys' / PUBLIC_KEY}     (at headquarters)")
    click.echo(f"  forecourt whitelist import --config {folder / CONFIG_FILE} CARDS.csv")
    click.echo(f"  forecourt station run --config {folder / CONFIG_FILE}")


@station.command()
@config_option
@click.option("--simulation", is_flag=True, help="Run a simulated station; refuses real serial ports.")
@click.pass_obj
def run(make_link: LinkFactory, path: Path, simulation: bool) -> None:
    """Run the station until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    config = load_station(path)
    mark = "SIMULATION " if simulation else ""

    def ready(url: str) -> None:
        click.echo(f"{mark}station {config.file.station.id} ready at {url}")

    try:
        with asyncio.Runner(loop_factory=StationLoop) as runner:
            runner.run(run_station(config, simulation=simulation, make_link=make_link, ready=ready))
    except CannotRun as error:
        fail(str(error))


station.add_command(allot)
station.add_command(unlock_pin)
station.add_command(release_purse)
station.add_command(reset_odometer)
station.add_command(unreserve)
