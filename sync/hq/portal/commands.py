"""The commands `forecourt hq portal ...`: who may look at reports, also while the server runs."""

from pathlib import Path

import click
import msgspec

from controller.domain.tokens import mask_phone
from sync.hq.config import ConfigError, database_of, load_config
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.portal.access import Account
from sync.hq.portal.accounts import AccountError
from sync.hq.portal.orders import (
    PORTAL_ACCOUNTS_PATH,
    ListAccounts,
    Order,
    PutAccount,
    RemoveAccount,
    carry_out,
)
from sync.hq.running import ask_running
from sync.hq.store import Store
from sync.wire import WireError

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path("hq.toml"), show_default=True
)


@click.group()
def portal() -> None:
    """Who may look at sales reports in a browser: customers and agencies, by code and one-time password."""


@portal.command()
@_config_option
@click.option("--phone", required=True, help="Where passwords are sent, such as +905321112233.")
@click.option("--programme", required=True, help="Whose sales: a programme that is kept here, such as lpg-pass.")
@click.option("--customer", "customers", multiple=True, required=True, help="Whose sales it sees; often for an agency.")
@click.option("--agency", is_flag=True, help="An agency: it may see several customers.")
@click.argument("code")
def add(config_path: Path, phone: str, programme: str, customers: tuple[str, ...], agency: bool, code: str) -> None:
    """Register CODE, or change what is registered under it."""
    _say(_do(config_path, PutAccount(code, phone, programme, customers, agency)))


@portal.command()
@_config_option
@click.argument("code")
def remove(config_path: Path, code: str) -> None:
    """Let nobody in under CODE any more, at once."""
    _say(_do(config_path, RemoveAccount(code)))


@portal.command("list")
@_config_option
def list_accounts(config_path: Path) -> None:
    """Show who is registered."""
    _say(_do(config_path, ListAccounts()))


def _do(config_path: Path, order: Order) -> list[Account]:
    data = msgspec.json.encode(order)
    try:
        config = load_config(config_path)
        if isinstance(order, PutAccount) and order.programme not in _kept(config.programmes):
            raise AccountError(
                f"the programme {order.programme} is not kept here: add it to `programmes` of {config_path}"
            )
        try:
            store = Store.open(database_of(config, config_path))
        except StoreBusy as busy:
            answer = ask_running(busy, "POST", PORTAL_ACCOUNTS_PATH, config.tokens.admin, data)
            return msgspec.json.decode(answer, type=list[Account])
        try:
            return carry_out(store.commit, data)
        finally:
            store.close()
    except (ConfigError, WireError, AccountError, StoreError, msgspec.DecodeError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error


def _kept(programmes: tuple[str, ...]) -> set[str]:
    """By their names: a file's is its stem."""
    return {Path(name).stem for name in programmes}


def _say(accounts: list[Account]) -> None:
    rows = [("code", "kind", "programme", "phone", "customers")]
    for account in accounts:
        kind = "agency" if account.agency else "customer"
        shown = mask_phone(account.phone)
        rows.append((account.code, kind, account.programme, shown, " ".join(account.customers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
