"""What an operator says of the portal's accounts: the same words for a command that holds the database and for the
running server. One order, one commit. Knows no HTTP.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec
import sqlalchemy as sa

from sync.hq.portal.access import Account
from sync.hq.portal.accounts import AccountError, Accounts, checked
from sync.wire import WireError

PORTAL_ACCOUNTS_PATH = "/v1/portal/accounts"


class PutAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="put"):
    """Register this account, or change it."""

    code: str
    phone: str
    programme: str
    customers: tuple[str, ...]
    agency: bool = False


class RemoveAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="remove"):
    code: str


class ListAccounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="list"):
    pass


Order = PutAccount | RemoveAccount | ListAccounts
_decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def carry_out(commit: Callable[[], AbstractContextManager[sa.Connection]], data: bytes) -> list[Account]:
    """All accounts as they are then. WireError for bytes that are no order, AccountError with nothing changed."""
    try:
        order = _decoder.decode(data)
    except ValueError as error:
        raise WireError(f"not an order for the portal: {error}") from error
    with commit() as db:
        Accounts.make_tables(db)
        accounts = Accounts(db)
        match order:
            case PutAccount():
                accounts.put(checked(order.code, order.phone, order.programme, order.customers, agency=order.agency))
            case RemoveAccount():
                if not accounts.remove(order.code):
                    raise AccountError(f"no account is registered under {order.code!r}: forecourt hq portal list")
            case ListAccounts():
                pass
        return list(accounts.all().values())
