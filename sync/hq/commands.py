"""The commands `forecourt hq ...`: each turns words into one call, and an error into a sentence and exit code 1.

Here, at the outermost edge, the real clock and real chance are put in.
"""

import logging
import os
import time
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from controller.machine import MachineRandomness
from sync.hq.account_commands import COMMANDS as ACCOUNT_COMMANDS
from sync.hq.cards.check_command import check_cards
from sync.hq.code_commands import qr
from sync.hq.config import Config, ConfigError, beside, database_of, load_config, template
from sync.hq.exchange.commands import exchange
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.office import MESSAGES, Office
from sync.hq.portal.commands import portal
from sync.hq.programmes.commands import programme_group
from sync.hq.programmes.opening import open_desk
from sync.hq.programmes.redeeming import Redemptions
from sync.hq.running import ask_running
from sync.hq.serve import STATIONS_PATH, CannotListen, Enrolment, build_app, listen, serve, url_of
from sync.hq.sms import Spool
from sync.hq.store import Store, Totals
from sync.wire import WireError, check_station_id

CONFIG_NAME = "hq.toml"
TOKEN_BYTES = 24
OWNER_ONLY = 0o600

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path(CONFIG_NAME), show_default=True
)


@click.group()
def hq() -> None:
    """Headquarters: receives what the stations send."""


hq.add_command(check_cards)
hq.add_command(programme_group)
hq.add_command(exchange)
hq.add_command(portal)
hq.add_command(qr)
for command in ACCOUNT_COMMANDS:
    hq.add_command(command)


@hq.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--simulated", is_flag=True, help="For simulated stations; takes no real one.")
def init(folder: Path, simulated: bool) -> None:
    """Write a commented hq.toml into DIR."""
    path = folder / CONFIG_NAME
    text = template(
        simulated=simulated, read_token=os.urandom(TOKEN_BYTES).hex(), admin_token=os.urandom(TOKEN_BYTES).hex()
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _fail(f"{path} is there already and was not touched")
    except OSError as error:
        _fail(f"{path} cannot be written: {error.strerror}")
    click.echo(f"{path} written; next: forecourt hq enrol --config {path} STATION_ID PUBLIC_KEY")


@hq.command()
@_config_option
@click.option("--replace", is_flag=True, help="The station has a new key: forget the old one.")
@click.argument("station_id")
@click.argument("public_key")
def enrol(config_path: Path, replace: bool, station_id: str, public_key: str) -> None:
    """Make a station known by its PUBLIC_KEY: 64 hex digits, or a file that holds them or a PEM key."""
    config = _load(config_path)
    try:
        check_station_id(station_id)
        enrolment = Enrolment(station_id, _key_text(public_key), replace)
        key = enrolment.checked_key()
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            ask_running(busy, "POST", STATIONS_PATH, config.tokens.admin, msgspec.json.encode(enrolment))
        else:
            try:
                store.enrol(station_id, key, _wall_ms(), replace=replace)
            finally:
                store.close()
    except (WireError, StoreError) as error:
        _fail(str(error))
    click.echo(f"station {station_id} enrolled")


@hq.command("serve")
@_config_option
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of the port of hq.toml; 0 takes a free one.")
def serve_command(config_path: Path, port: int | None) -> None:
    """Receive batches and answer requests until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = _load(config_path)
    if port is not None:
        config = msgspec.structs.replace(config, listen=msgspec.structs.replace(config.listen, port=port))
    try:
        sock = listen(config)
        try:
            store = Store.open(database_of(config, config_path))
        except StoreError:
            sock.close()
            raise
    except (CannotListen, StoreError) as error:
        _fail(str(error))
    url = url_of(sock)
    store.say_url(url)
    mark = "SIMULATION " if config.simulated else ""
    try:
        programmes = open_desk(config, config_path, store.commit)
        office = Office(config, config_path, store, programmes, _wall_ms)
    except (ConfigError, StoreError) as error:
        store.close()
        sock.close()
        _fail(str(error))
    try:
        spool = Spool(beside(MESSAGES, config_path), _wall_ms)
        points = Redemptions(programmes, spool, MachineRandomness())
        app = build_app(config, store, _wall_ms, programmes, office.routes, points)
        serve(app, sock, lambda: click.echo(f"{mark}headquarters ready at {url}"))
    finally:
        store.close()


@hq.command()
@_config_option
@click.argument("station_id")
def totals(config_path: Path, station_id: str) -> None:
    """Print a station's totals as JSON."""
    config = _load(config_path)
    try:
        check_station_id(station_id)
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            data = ask_running(busy, "GET", f"{STATIONS_PATH}/{station_id}/totals", config.tokens.read, b"")
            found = msgspec.json.decode(data, type=Totals)
        else:
            try:
                found = store.totals(station_id)
            finally:
                store.close()
    except (WireError, StoreError, msgspec.DecodeError) as error:
        _fail(str(error))
    click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())


def _load(path: Path) -> Config:
    try:
        return load_config(path)
    except ConfigError as error:
        _fail(str(error))


def _key_text(given: str) -> str:
    """Hex digits, from the argument or the file it names."""
    path = Path(given)
    try:
        if not path.is_file():
            return given
        data = path.read_bytes()
    except OSError as error:
        raise WireError(f"{given} cannot be read: {error.strerror}") from error
    if b"-----BEGIN" not in data:
        return data.decode("ascii", "replace").strip()
    try:
        key = load_pem_public_key(data)
    except ValueError as error:
        raise WireError(f"{given} holds no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WireError(f"{given} holds a key of another kind: a station's key is Ed25519")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
