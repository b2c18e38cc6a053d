"""The commands `forecourt hq pay-in`, `allot`, `accounts`, `grants` and `release-grant`: prepaid money, also while the
server runs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

import click
import msgspec

from controller.domain.quantities import CURRENCIES, money_text, parse_decimal, power_of_ten
from sync.hq.account_pages import (
    ACCOUNTS_PATH,
    ALLOTMENTS_PATH,
    AMOUNT_MAX,
    GRANTS_PATH,
    PAYMENTS_PATH,
    RELEASES_PATH,
    WORK,
    Allotment,
    Payment,
    Release,
)
from sync.hq.config import Config, ConfigError, database_of, load_config
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.prepaid import AccountView, GrantView, Prepaid
from sync.hq.running import ask_running
from sync.hq.store import Store
from sync.wire import WireError

CONFIG_NAME = "hq.toml"
MS_PER_S = 1_000
_T = TypeVar("_T")

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path(CONFIG_NAME), show_default=True
)
_currency_option = click.option(
    "--currency", type=click.Choice(sorted(CURRENCIES)), required=True, help="Of the accounts."
)


@click.command("pay-in")
@_config_option
@_currency_option
@click.option("--id", "payment_id", required=True, help="The office's own name of this payment: it counts once.")
@click.argument("account")
@click.argument("amount", metavar="AMOUNT")
def pay_in_command(config_path: Path, currency: str, payment_id: str, account: str, amount: str) -> None:
    """Book money paid into a prepaid ACCOUNT; with a minus (after --), money paid back."""
    order = msgspec.json.encode(Payment(account, payment_id, _minor(amount, currency)))
    _say([_do(config_path, PAYMENTS_PATH, order)], currency)


@click.command("allot")
@_config_option
@_currency_option
@click.option("--id", "allotment_id", required=True, help="The office's own name of it at that station: counts once.")
@click.argument("station")
@click.argument("account")
@click.argument("amount", metavar="AMOUNT")
def allot_command(config_path: Path, currency: str, allotment_id: str, station: str, account: str, amount: str) -> None:
    """Set money of a prepaid ACCOUNT apart at a STATION, which may spend it while it hears nothing."""
    order = msgspec.json.encode(Allotment(station, account, allotment_id, _minor(amount, currency)))
    _say([_do(config_path, ALLOTMENTS_PATH, order)], currency)


@click.command("release-grant")
@_config_option
@_currency_option
@click.argument("station")
@click.argument("grant")
def release_command(config_path: Path, currency: str, station: str, grant: str) -> None:
    """Free what a GRANT of `hq grants` reserves for a STATION that will never say what came of it: its disk is lost."""
    _say([_do(config_path, RELEASES_PATH, msgspec.json.encode(Release(station, grant)))], currency)


@click.command("accounts")
@_config_option
@_currency_option
def accounts_command(config_path: Path, currency: str) -> None:
    """Show all prepaid accounts: their balance, what is reserved and set apart of it, and what is free."""
    _say(_look(config_path, ACCOUNTS_PATH, list[AccountView], Prepaid.views), currency)


@click.command("grants")
@_config_option
@_currency_option
def grants_command(config_path: Path, currency: str) -> None:
    """Show what is promised to stations, each for one delivery, and reserves money until they say what came of it."""
    rows = [["station", "grant", "account", "asked (UTC)", "delivered", "reserved"]]
    for each in _look(config_path, GRANTS_PATH, list[GrantView], Prepaid.reserving):
        asked = datetime.fromtimestamp(each.asked_ms // MS_PER_S, UTC).strftime("%Y-%m-%d %H:%M")
        amount = money_text(each.amount_minor, CURRENCIES[currency])
        rows.append([each.station, each.command_id, each.account, asked, "yes" if each.delivered else "no", amount])
    _table(rows)


COMMANDS = (pay_in_command, allot_command, accounts_command, grants_command, release_command)


def _do(config_path: Path, path: str, order: bytes) -> AccountView:
    config = _load(config_path)
    try:
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            data = ask_running(busy, "POST", path, config.tokens.admin, order)
            return msgspec.json.decode(data, type=AccountView)
        try:
            return WORK[path](Prepaid(store.commit), order, time.time_ns() // 1_000_000)
        finally:
            store.close()
    except (WireError, StoreError, msgspec.DecodeError) as error:
        _fail(str(error))


def _look(config_path: Path, path: str, kind: type[_T], work: Callable[[Prepaid], _T]) -> _T:
    config = _load(config_path)
    try:
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            return msgspec.json.decode(ask_running(busy, "GET", path, config.tokens.read, b""), type=kind)
        try:
            return work(Prepaid(store.commit))
        finally:
            store.close()
    except (StoreError, msgspec.DecodeError) as error:
        _fail(str(error))


def _say(views: list[AccountView], currency: str) -> None:
    unit = CURRENCIES[currency]
    rows = [["account", "balance", "reserved", "set apart", "free"]]
    for view in views:
        amounts = (view.balance_minor, view.reserved_minor, view.allotted_minor, view.free_minor)
        rows.append([view.account, *(money_text(amount, unit) for amount in amounts)])
    _table(rows)


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *texts in rows:
        cells = [text.rjust(width) for text, width in zip(texts, widths[1:], strict=True)]
        click.echo("  ".join([name.ljust(widths[0]), *cells]))


def _minor(amount: str, currency: str) -> int:
    """Plain decimal text in minor units."""
    decimals = CURRENCIES[currency].decimals
    sign = -1 if amount.startswith("-") else 1
    try:
        value, typed = parse_decimal(amount.removeprefix("-"))
    except ValueError:
        _fail(f"{amount} is no amount of money: write it as 50000.00")
    if typed > decimals:
        _fail(f"{amount} has more decimals than {currency} has ({decimals})")
    minor = sign * value * power_of_ten(decimals - typed)
    if not 0 < abs(minor) <= AMOUNT_MAX:
        _fail(f"{amount} is no amount of money that can be booked")
    return minor


def _load(path: Path) -> Config:
    try:
        return load_config(path)
    except ConfigError as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
