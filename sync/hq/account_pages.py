"""Headquarters' pages of prepaid accounts: what `forecourt hq pay-in`, `allot`, `accounts` and their kind do at a
running server.

Bytes in, bytes out, for the server and for a command that holds the database itself. Knows no HTTP.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec

from sync.hq.prepaid import AccountView, Prepaid
from sync.wire import MAX_ACCOUNT_LETTERS, WireError, check_station_id

ACCOUNTS_PATH = "/v1/accounts"
PAYMENTS_PATH = "/v1/payments"
ALLOTMENTS_PATH = "/v1/allotments"
GRANTS_PATH = "/v1/grants"
RELEASES_PATH = "/v1/grants/releases"
AMOUNT_MAX = 10**15

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ACCOUNT_LETTERS)]


class Payment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money paid in, or back (below zero)."""

    account: _Name
    payment_id: _Name
    amount_minor: Annotated[int, msgspec.Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]


class Allotment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money to be set apart at a station."""

    station: str
    account: _Name
    allotment_id: _Name
    amount_minor: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A grant that nothing will come of."""

    station: str
    command_id: str


def pay_in(prepaid: Prepaid, data: bytes, now_ms: int) -> AccountView:
    """Book a payment. WireError for bytes that are none, AccountRefused."""
    try:
        payment = msgspec.json.decode(data, type=Payment)
    except ValueError as error:
        raise WireError(f"not a payment: {error}") from error
    return prepaid.pay_in(payment.account, payment.payment_id, payment.amount_minor, now_ms)


def allot(prepaid: Prepaid, data: bytes, now_ms: int) -> AccountView:
    """Set money apart. WireError for bytes that say nothing like it, AccountRefused."""
    try:
        order = msgspec.json.decode(data, type=Allotment)
    except ValueError as error:
        raise WireError(f"not an allotment: {error}") from error
    station = check_station_id(order.station)
    return prepaid.allot(station, order.account, order.allotment_id, order.amount_minor, now_ms)


def release(prepaid: Prepaid, data: bytes, now_ms: int) -> AccountView:
    """Free what a grant reserves. WireError for bytes that say nothing like it, AccountRefused."""
    try:
        order = msgspec.json.decode(data, type=Release)
    except ValueError as error:
        raise WireError(f"not the release of a grant: {error}") from error
    return prepaid.release(order.station, order.command_id, now_ms)


WORK: dict[str, Callable[[Prepaid, bytes, int], AccountView]] = {
    PAYMENTS_PATH: pay_in,
    ALLOTMENTS_PATH: allot,
    RELEASES_PATH: release,
}
"""By path: what is done with what is posted there, at the wall time."""
