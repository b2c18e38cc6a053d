"""The commands `forecourt hq init|enrol|totals`: a headquarters is made, its stations become known and are counted.

Here, at the outermost edge, the real clock and real chance are put in.
"""

import os
import time
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from sync.hq.config import Config, ConfigError, database_of, load_config, template
from sync.hq.enrolment import STATIONS_PATH, Enrolment
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.running import ask_running
from sync.hq.store import Store, Totals
from sync.wire import WireError, check_station_id

CONFIG_NAME = "hq.toml"
TOKEN_BYTES = 24
OWNER_ONLY = 0o600

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path(CONFIG_NAME), show_default=True
)


@click.command()
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


@click.command()
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


@click.command()
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
