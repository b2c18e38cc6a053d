"""The command `forecourt hq serve`: headquarters is put together and run, with the real clock and real chance."""

import logging
import time
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from controller.machine import MachineRandomness
from sync.hq.config import ConfigError, beside, database_of, load_config
from sync.hq.hold import StoreError
from sync.hq.office import MESSAGES, Office
from sync.hq.programmes.opening import open_desk
from sync.hq.programmes.redeeming import Redemptions
from sync.hq.serve import CannotListen, build_app, listen, serve, url_of
from sync.hq.sms import Spool
from sync.hq.store import Store


@click.command("serve")
@click.option("--config", "config_path", type=click.Path(path_type=Path), default=Path("hq.toml"), show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of the port of hq.toml; 0 takes a free one.")
def serve_command(config_path: Path, port: int | None) -> None:
    """Receive batches and answer requests until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = load_config(config_path)
    except ConfigError as error:
        _fail(str(error))
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


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
