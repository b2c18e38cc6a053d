"""Puts the portal together at a running headquarters: accounts and sales from its database, a gateway for messages."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sync.hq.portal.access import Access, Account
from sync.hq.portal.accounts import Accounts
from sync.hq.portal.routes import Portal
from sync.hq.portal.sales import LedgerSales
from sync.hq.programmes.desk import Desk
from sync.hq.sms import Sms, SmsGateway, SmsUnsent
from sync.hq.store import Store

SALT_BYTES = 16

log = logging.getLogger("forecourt.hq")


def open_portal(
    store: Store,
    desk: Desk,
    gateway: SmsGateway,
    *,
    random_bytes: Callable[[int], bytes],
    wall_ms: Callable[[], int],
    at_desk: Callable[[Callable[[], Any]], Awaitable[Any]],
    beside: Callable[[Callable[[], Any]], Awaitable[Any]],
    simulated: bool,
) -> Portal:
    """A real headquarters' cookie goes over TLS only: a proxy stands before it."""
    with store.commit() as db:
        Accounts.make_tables(db)

    def account_of(folded: str) -> Account | None:
        with store.commit() as db:
            return Accounts(db).get(folded)

    def send(message: Sms) -> None:
        try:
            gateway.send(message)
        except SmsUnsent as error:
            # Who asked for it is told nothing else than always: it would tell who is registered.
            log.warning("a password for the portal was not sent: %s", error)

    return Portal(
        access=Access(account_of, random_bytes, random_bytes(SALT_BYTES)),
        sales=LedgerSales(store.commit, desk.ledger),
        send=send,
        wall_ms=wall_ms,
        at_desk=at_desk,
        beside=beside,
        secure=not simulated,
        simulated=simulated,
    )
