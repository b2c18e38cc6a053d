"""The office of a running headquarters: the portal's accounts, the exchange with other issuers, the stations' lists,
and the portal itself.

Put together from hq.toml and the files beside it. The office's own routes are behind the admin token, and stations
sign what they ask; what an order means is known in `portal.orders` and `exchange.orders`.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from sync.hq.config import Config, beside
from sync.hq.exchange.orders import EXCHANGE_PATH, REFUSALS, Done
from sync.hq.exchange.packages import PACKAGE_BYTES_MAX
from sync.hq.exchange.setup import open_exchange
from sync.hq.lists import Lists
from sync.hq.portal.access import Account
from sync.hq.portal.accounts import AccountError
from sync.hq.portal.orders import PORTAL_ACCOUNTS_PATH, carry_out
from sync.hq.portal.routes import portal_router
from sync.hq.portal.setup import open_portal
from sync.hq.programmes.desk import Desk
from sync.hq.serve import OCTETS, AtDesk, bearer
from sync.hq.sms import Spool
from sync.hq.store import Store
from sync.wire import LISTS_PATH

MESSAGES = "messages"
"""The folder beside hq.toml from which a provider's program takes messages to phones."""


class Office:
    """ConfigError if hq.toml names what cannot be read."""

    def __init__(self, config: Config, path: Path, store: Store, desk: Desk, wall_ms: Callable[[], int]) -> None:
        self._config = config
        self._messages = beside(MESSAGES, path)
        self._store = store
        self._desk = desk
        self._wall_ms = wall_ms
        self._exchange = open_exchange(config, path, store.commit, desk)
        self._lists = Lists(beside(config.lists, path) if config.lists else None, store)

    def routes(self, at_desk: AtDesk) -> list[ControllerRouterHandler]:
        """For the server; `at_desk` runs work where the database is."""
        guard = bearer(self._config.tokens.admin)

        @post(PORTAL_ACCOUNTS_PATH, status_code=200, guards=[guard])
        async def portal_accounts(request: Request[Any, Any, Any]) -> list[Account]:
            data = await request.body()
            try:
                return list(await at_desk(lambda: carry_out(self._store.commit, data)))
            except AccountError as error:
                raise HTTPException(str(error), status_code=409) from error

        @post(EXCHANGE_PATH, status_code=200, guards=[guard], request_max_body_size=2 * PACKAGE_BYTES_MAX)
        async def exchange(request: Request[Any, Any, Any]) -> Done:
            data = await request.body()
            try:
                done = await at_desk(lambda: self._exchange.carry_out(data, self._wall_ms()))
            except REFUSALS as error:
                raise HTTPException(str(error), status_code=409) from error
            assert isinstance(done, Done)
            return done

        portal = open_portal(
            self._store,
            self._desk,
            Spool(self._messages, self._wall_ms),
            random_bytes=os.urandom,
            wall_ms=self._wall_ms,
            at_desk=at_desk,
            beside=asyncio.to_thread,
            simulated=self._config.simulated,
        )

        @post(LISTS_PATH, status_code=200, media_type=OCTETS)
        async def lists(request: Request[Any, Any, Any]) -> Response[bytes]:
            data = await request.body()
            ask = await at_desk(lambda: self._lists.asked(data))
            return Response(await asyncio.to_thread(self._lists.answer, ask))

        return [portal_accounts, exchange, lists, portal_router(portal)]
