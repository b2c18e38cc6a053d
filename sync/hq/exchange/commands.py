"""The commands `forecourt hq exchange ...`: cards of other issuers, and what is settled with them."""

import time
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.quantities import CURRENCIES, decimal_text, money_text
from controller.keys import write_secret
from sync.hq.config import Config, ConfigError, database_of, load_config
from sync.hq.exchange.netting import Netting
from sync.hq.exchange.orders import (
    EXCHANGE_PATH,
    REFUSALS,
    AddPartner,
    Begin,
    CardList,
    Done,
    GiveBack,
    ListPartners,
    Net,
    Order,
    SendAgain,
    SendDay,
    SendService,
    Take,
)
from sync.hq.exchange.packages import PACKAGE_BYTES_MAX
from sync.hq.exchange.setup import KEY_NAME, open_exchange
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.programmes.opening import open_desk
from sync.hq.programmes.statements import DeskError
from sync.hq.running import ask_running
from sync.hq.store import Store
from sync.wire import WireError

MILLI_DECIMALS = 3

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path("hq.toml"), show_default=True
)
_out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
_day = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def exchange() -> None:
    """Other issuers of cards: stop lists and keys, what was sold to each other's cards, and netting by pair and day."""


@exchange.command()
@_config_option
@click.option("--zone", default="Europe/Kyiv", show_default=True, help="Where days begin, for all partners.")
@click.argument("name")
def init(config_path: Path, zone: str, name: str) -> None:
    """Give this headquarters its NAME among issuers, and a key to sign with."""
    path = config_path.parent / KEY_NAME
    try:
        write_secret(path, Ed25519PrivateKey.generate().private_bytes_raw().hex())
    except FileExistsError:
        click.echo(f"{path} is there already and is used", err=True)
    except OSError as error:
        _fail(f"{path} cannot be written: {error.strerror}")
    _say(_do(config_path, Begin(name, zone)))


@exchange.command()
@_config_option
@click.option("--replace", is_flag=True, help="The partner has a new key.")
@click.argument("name")
@click.argument("public_key")
def partner(config_path: Path, replace: bool, name: str, public_key: str) -> None:
    """Take packages of the issuer NAME, signed by the key of PUBLIC_KEY (64 hex digits)."""
    _say(_do(config_path, AddPartner(name, public_key, replace)))


@exchange.command()
@_config_option
def partners(config_path: Path) -> None:
    """Show this headquarters and its partners, and the number of the last package each way."""
    _say(_do(config_path, ListPartners()))


@exchange.command()
@_config_option
@_out_option
@click.option("--key", "keys", multiple=True, metavar="NUMBER=HEX", help="A public key of our cards' entitlements.")
@click.argument("name")
def service(config_path: Path, out: Path, keys: tuple[str, ...], name: str) -> None:
    """Write all our cards, the stop list and keys as they stand for the partner NAME."""
    _write(_do(config_path, SendService(name, dict(map(_key, keys)))), out)


@exchange.command()
@_config_option
@_out_option
@click.argument("name")
@click.argument("day", metavar="DAY", type=_day)
def day(config_path: Path, out: Path, name: str, day: datetime) -> None:
    """Write what was sold to cards of the partner NAME until the end of DAY. The same day again: the same file."""
    _write(_do(config_path, SendDay(name, day.date())), out)


@exchange.command()
@_config_option
@_out_option
@click.argument("name")
@click.argument("number", type=click.IntRange(min=1))
def again(config_path: Path, out: Path, name: str, number: int) -> None:
    """Write once more the package NUMBER that was sent to the partner NAME."""
    _write(_do(config_path, SendAgain(name, number)), out)


@exchange.command("return")
@_config_option
@_out_option
@click.argument("name")
@click.argument("number", type=click.IntRange(min=1))
def return_command(config_path: Path, out: Path, name: str, number: int) -> None:
    """Write the package NUMBER that the partner NAME sent, for NAME, who was restored from a backup, to take."""
    _write(_do(config_path, GiveBack(name, number)), out)


@exchange.command()
@_config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def take(config_path: Path, file: Path) -> None:
    """Take a partner's package: its cards, or what it sold to ours, which is posted."""
    try:
        with file.open("rb") as opened:
            data = opened.read(PACKAGE_BYTES_MAX + 1)
    except OSError as error:
        _fail(f"{file} cannot be read: {error.strerror}")
    if len(data) > PACKAGE_BYTES_MAX:
        _fail(f"{file} has more than {PACKAGE_BYTES_MAX} bytes: it is no package")
    _say(_do(config_path, Take(data), name=str(file)))


@exchange.command("net")
@_config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.argument("name")
@click.argument("day", metavar="DAY", type=_day)
def net_command(config_path: Path, as_json: bool, name: str, day: datetime) -> None:
    """Show what this headquarters and the partner NAME owe each other for DAY."""
    netting = _do(config_path, Net(name, day.date())).netting
    assert netting is not None
    click.echo(msgspec.json.encode(netting).decode() if as_json else _text(netting))


@exchange.command("cards")
@_config_option
@_out_option
@click.option("--products", default="cng", show_default=True, help="What such cards may buy: grades, separated by ;.")
def cards_command(config_path: Path, out: Path, products: str) -> None:
    """Write all partners' cards as a CSV for stations' whitelists."""
    _write(_do(config_path, CardList(products)), out)


def _do(config_path: Path, order: Order, name: str = "") -> Done:
    try:
        config: Config = load_config(config_path)
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            data = ask_running(busy, "POST", EXCHANGE_PATH, config.tokens.admin, msgspec.json.encode(order))
            return msgspec.json.decode(data, type=Done)
        try:
            desk = open_desk(config, config_path, store.commit)
            ours = open_exchange(config, config_path, store.commit, desk)
            return ours.do(order, time.time_ns() // 1_000_000)
        finally:
            store.close()
    except (ConfigError, WireError, StoreError, DeskError, msgspec.DecodeError, *REFUSALS) as error:
        _fail(f"{name}: {error}" if name else str(error))


def _key(text: str) -> tuple[int, str]:
    number, _, public = text.partition("=")
    if not (number.isdecimal() and public):
        _fail(f"{text}: expected NUMBER=HEX, such as 1=9f…")
    return int(number), public


def _say(done: Done) -> None:
    click.echo(done.text)


def _write(done: Done, out: Path) -> None:
    """Whole or not at all: a file that was cut off would be taken for a forged one."""
    new = out.with_name(out.name + ".new")
    try:
        new.write_bytes(done.data)
        new.replace(out)
    except OSError as error:
        _fail(f"{out} cannot be written ({error.strerror}): the same command gives the same package again")
    click.echo(f"{out} written" + (f": {done.text}" if done.text else ""))


def _text(netting: Netting) -> str:
    currency = CURRENCIES[netting.currency]
    rows = [
        (
            side,
            str(each.transactions),
            decimal_text(each.volume_ml, MILLI_DECIMALS),
            money_text(each.amount_minor, currency),
        )
        for side, each in (
            (f"{netting.us} sold to cards of {netting.partner}", netting.sold),
            (f"{netting.partner} sold to cards of {netting.us}", netting.bought),
        )
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{netting.day}, {netting.currency}"]
    lines += [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    owes, gets = (netting.partner, netting.us) if netting.net_minor >= 0 else (netting.us, netting.partner)
    lines.append(f"{owes} owes {gets} {money_text(abs(netting.net_minor), currency)}")
    if netting.waits_for:
        lines.append(f"not settled: the package of {netting.waits_for} for this day is missing")
    else:
        lines.append(f"agreed, if the partner reads the same here: {netting.agreed}")
    return "\n".join(lines)


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
