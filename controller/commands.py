"""The commands `forecourt station ...`, `whitelist ...` and `journal ...`.

Each turns words into one call, and an error into a sentence and exit code 1.
"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from controller import keys
from controller.config import ConfigError, StationConfig, load
from controller.daemon import JOURNAL_FILE, WHITELIST_FILE, CannotRun, LinkFactory, run_station
from controller.domain.records import Body, DamagedRow, RowName, decode_body, kind_of
from controller.install import CONFIG_FILE, PUBLIC_KEY, FolderInUse, install, template
from controller.machine import MachineRandomness
from controller.store.journal import Journal, JournalError
from controller.store.whitelist import WhitelistError, build, read_csv

READ_CHUNK = 1_000

_config_option = click.option(
    "--config", "path", type=click.Path(path_type=Path), default=Path(CONFIG_FILE), show_default=True
)


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)


def _load(path: Path) -> StationConfig:
    try:
        return load(path)
    except ConfigError as error:
        _fail(str(error))


@click.group()
def station() -> None:
    """The station: set it up, run it."""


@station.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--simulated", is_flag=True, help="For simulated devices only.")
def init(folder: Path, simulated: bool) -> None:
    """Write a commented station.toml, keys and till tokens into DIR."""
    try:
        install(
            folder,
            template(simulated=simulated),
            MachineRandomness().random_bytes,
            tills=("till-1", "till-2"),
            card_key=None,
        )
    except (FolderInUse, OSError) as error:
        _fail(str(error))
    click.echo(f"{folder / CONFIG_FILE} and {folder / 'keys'} written. Next:")
    click.echo(f"  edit {folder / CONFIG_FILE}")
    click.echo(f"  forecourt hq enrol STATION_ID {folder / 'keys' / PUBLIC_KEY}     (at headquarters)")
    click.echo(f"  forecourt whitelist import --config {folder / CONFIG_FILE} CARDS.csv")
    click.echo(f"  forecourt station run --config {folder / CONFIG_FILE}")


@station.command()
@_config_option
@click.option("--simulation", is_flag=True, help="Run a simulated station; refuses real serial ports.")
@click.pass_obj
def run(make_link: LinkFactory, path: Path, simulation: bool) -> None:
    """Run the station until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    config = _load(path)
    mark = "SIMULATION " if simulation else ""

    def ready(url: str) -> None:
        click.echo(f"{mark}station {config.file.station.id} ready at {url}")

    try:
        asyncio.run(run_station(config, simulation=simulation, make_link=make_link, ready=ready))
    except CannotRun as error:
        _fail(str(error))


@click.group()
def whitelist() -> None:
    """The list of cards and plates that the station decides by."""


@whitelist.command("import")
@_config_option
@click.argument("source", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--version", type=click.IntRange(1), default=1, show_default=True, help="The list's version.")
def import_(path: Path, source: Path, version: int) -> None:
    """Replace the list by FILE.csv, whole or not at all; a running station takes it at once."""
    config = _load(path)
    try:
        secret = keys.list_key(config.keys)
        config.data.mkdir(parents=True, exist_ok=True)
        rows = read_csv(source, secret, config.currency, config.zone)
        count = build(config.data / WHITELIST_FILE, rows, version)
    except (keys.KeyFileError, WhitelistError, OSError, UnicodeDecodeError) as error:
        _fail(f"{error}\nNothing was changed: the old list stands")
    click.echo(f"{count} cards and plates, version {version}")


@click.group()
def journal() -> None:
    """The station's journal: what it wrote down for ever."""


@journal.command()
@_config_option
@click.option("--kind", help="Only rows of this kind: started, authorised, delivery, settlement ...")
@click.option("--last", type=click.IntRange(1), help="Only so many rows, from the end.")
def show(path: Path, kind: str | None, last: int | None) -> None:
    """Print rows as JSON, one a line. The station must not be running on it."""
    with _OpenJournal(path) as store:
        after = 0 if last is None else max(store.head_seq - last, 0)
        while rows := store.rows_after(after, READ_CHUNK):
            for row in rows:
                after += 1
                try:
                    body = decode_body(row.body)
                except DamagedRow as error:
                    _fail(f"row {after}: {error}. Keep the file, and see docs/recovery.md")
                if kind is None or kind_of(body.record) == kind:
                    click.echo(_json(body))


@journal.command()
@_config_option
def verify(path: Path) -> None:
    """Check every row against the one before it."""
    with _OpenJournal(path) as store:
        try:
            count = sum(1 for _ in store.replay())
        except JournalError as error:
            _fail(str(error))
        click.echo(f"{count} rows, each follows the one before it. Head: {store.head_hash.hex()}")


class _OpenJournal:
    def __init__(self, path: Path) -> None:
        file = _load(path).data / JOURNAL_FILE
        if not file.exists():
            _fail(f"{file}: there is no journal yet: the station makes one when it runs")
        try:
            self._store = Journal(file)
        except JournalError as error:
            _fail(str(error))

    def __enter__(self) -> Journal:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _json(body: Body) -> str:
    row = {"row": body.name.text, "kind": kind_of(body.record), "at_ms": body.stamp.wall_ms}
    return msgspec.json.encode(row | _readable(body.record)).decode()


def _readable(value: Any) -> Any:
    """Records with the names of their fields, rows by their names, keys as hex."""
    match value:
        case RowName():
            return value.text
        case bytes():
            return value.hex()
        case msgspec.Struct():
            return {name: _readable(getattr(value, name)) for name in value.__struct_fields__}
        case tuple():
            return [_readable(item) for item in value]
        case _:
            return value
