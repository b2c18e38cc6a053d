"""The commands `forecourt hq pay-in`, `allot` and `accounts`: prepaid money, also while the server runs."""

import time
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from controller.domain.quantities import CURRENCIES, money_text, parse_decimal, power_of_ten
from sync.hq.account_pages import (
    ACCOUNTS_PATH,
    ALLOTMENTS_PATH,
    AMOUNT_MAX,
    PAYMENTS_PATH,
    WORK,
    Allotment,
    Payment,
)
from sync.hq.config import Config, ConfigError, database_of, load_config
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.prepaid import AccountView, Prepaid
from sync.hq.running import ask_running
from sync.hq.store import Store
from sync.wire import WireError

CONFIG_NAME = "hq.toml"

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


@click.command("accounts")
@_config_option
@_currency_option
def accounts_command(config_path: Path, currency: str) -> None:
    """Show all prepaid accounts: their balance, what is reserved and set apart of it, and what is free."""
    config = _load(config_path)
    try:
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            data = ask_running(busy, "GET", ACCOUNTS_PATH, config.tokens.read, b"")
            views = msgspec.json.decode(data, type=list[AccountView])
        else:
            try:
                views = Prepaid(store.commit).views()
            finally:
                store.close()
    except (StoreError, msgspec.DecodeError) as error:
        _fail(str(error))
    _say(views, currency)


COMMANDS = (pay_in_command, allot_command, accounts_command)


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


def _say(views: list[AccountView], currency: str) -> None:
    unit = CURRENCIES[currency]
    rows = [["account", "balance", "reserved", "set apart", "free"]]
    for view in views:
        amounts = (view.balance_minor, view.reserved_minor, view.allotted_minor, view.free_minor)
        rows.append([view.account, *(money_text(amount, unit) for amount in amounts)])
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
