"""Headquarters over HTTP: routes, statuses and the process that serves them.

The database is spoken to on one thread of its own, so the loop stays free and there is one writer. What goes wrong
becomes a status and a sentence. Knows nothing of how a batch is checked or kept.
"""

import asyncio
import contextlib
import hmac
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
import uvicorn
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler

from sync.hq import account_pages
from sync.hq.answers import Answers
from sync.hq.cards.claims import ClaimPage, page_of
from sync.hq.config import Config
from sync.hq.enrolment import STATIONS_PATH, Enrolment
from sync.hq.hold import StoreError, StoreFull
from sync.hq.ingest import Ingest
from sync.hq.prepaid import AccountRefused, AccountView, GrantView, Prepaid
from sync.hq.programmes.desk import Desk
from sync.hq.programmes.following import Following
from sync.hq.programmes.pages import MAX_ASK_BYTES, PROGRAMMES_PATH
from sync.hq.programmes.pages import answer as answer_ask
from sync.hq.programmes.statements import DeskError
from sync.hq.requests import Answering, Requests
from sync.hq.store import Store, Totals
from sync.wire import (
    BATCHES_PATH,
    MAX_MESSAGE_BYTES,
    REQUESTS_PATH,
    NameReused,
    NotThisJournal,
    SealedBatch,
    SignatureWrong,
    StationUnknown,
    TooLarge,
    WireError,
    check_station_id,
)

STOP_WITHIN_S = 5
"""An open connection does not keep the server from ending longer than this."""
BACKLOG = 512
OCTETS = "application/octet-stream"

_log = logging.getLogger("forecourt.hq")
_T = TypeVar("_T")
AtDesk = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs work on the thread that speaks to the database."""

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (TooLarge, 413),
    (SignatureWrong, 401),
    (StationUnknown, 403),
    (NameReused, 409),
    (NotThisJournal, 409),
    (WireError, 400),
    (AccountRefused, 409),
    (DeskError, 400),
    (StoreFull, 507),
    (StoreError, 503),
)
"""From the particular to the general. Up to 499 a station must change something, from 500 it sends again."""


class CannotListen(Exception):
    """The address cannot be had. The text says what to do."""


def build_app(
    config: Config,
    store: Store,
    wall_ms: Callable[[], int],
    programmes: Desk | None = None,
    more: Callable[[AtDesk], Sequence[ControllerRouterHandler]] = lambda at_desk: (),
    points: Answering | None = None,
) -> Litestar:
    """The application. `wall_ms` gives the time; `store` is closed by whoever opened it, after the application.

    `programmes`: the fuel programmes' desk, on the same store. `more`: other routes, given how to work at the desk.
    `points`: who answers stations' questions of points.
    """
    ingest = Ingest(store, simulated=config.simulated)
    prepaid = Prepaid(store.commit)
    questions = Requests(store, Answers(prepaid, points))
    desk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hq-store")
    programmes = programmes or Desk(store.commit, ())
    following = Following(programmes, store.station_ids(), desk.submit, wall_ms)

    async def at_desk(work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(desk, work)

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        following.start()
        yield
        following.end()
        desk.shutdown(wait=True)

    @post(BATCHES_PATH, status_code=200, media_type=OCTETS)
    async def batches(request: Request[Any, Any, Any]) -> Response[bytes]:
        data = await request.body()
        answer = await at_desk(lambda: ingest.receive(data, wall_ms()))
        following.heard(SealedBatch(data).station)
        return Response(answer)

    @post(REQUESTS_PATH, status_code=200, media_type=OCTETS)
    async def requests(request: Request[Any, Any, Any]) -> Response[bytes]:
        data = await request.body()
        return Response(await at_desk(lambda: questions.receive(data, wall_ms())))

    @get(STATIONS_PATH + "/{station:str}/totals", guards=[bearer(config.tokens.read)])
    async def totals(station: FromPath[str]) -> Totals:
        try:
            return await at_desk(lambda: store.totals(check_station_id(station)))
        except StationUnknown as error:
            raise HTTPException(str(error), status_code=404) from error

    @get(STATIONS_PATH, guards=[bearer(config.tokens.read)])
    async def known() -> list[str]:
        return await at_desk(store.station_ids)

    @get(STATIONS_PATH + "/{station:str}/card-claims", guards=[bearer(config.tokens.read)])
    async def card_claims(station: FromPath[str], after: FromQuery[int] = 0) -> ClaimPage:
        return await at_desk(lambda: page_of(store, check_station_id(station), after))

    @post(STATIONS_PATH, status_code=200, guards=[bearer(config.tokens.admin)])
    async def enrol(request: Request[Any, Any, Any]) -> dict[str, str]:
        try:
            enrolment = msgspec.json.decode(await request.body(), type=Enrolment)
        except ValueError as error:
            raise HTTPException(f"not an enrolment: {error}", status_code=400) from error
        key = enrolment.checked_key()
        try:
            await at_desk(lambda: store.enrol(enrolment.station, key, wall_ms(), replace=enrolment.replace))
        except StoreFull:
            raise
        except StoreError as error:
            raise HTTPException(str(error), status_code=409) from error
        return {"station": enrolment.station}

    @post([*account_pages.WORK], status_code=200, guards=[bearer(config.tokens.admin)])
    async def order(request: Request[Any, Any, Any]) -> AccountView:
        data, work = await request.body(), account_pages.WORK[request.url.path]
        return await at_desk(lambda: work(prepaid, data, wall_ms()))

    @get(account_pages.ACCOUNTS_PATH, guards=[bearer(config.tokens.read)])
    async def accounts() -> list[AccountView]:
        return await at_desk(prepaid.views)

    @get(account_pages.GRANTS_PATH, guards=[bearer(config.tokens.read)])
    async def grants() -> list[GrantView]:
        return await at_desk(prepaid.reserving)

    @post(PROGRAMMES_PATH, status_code=200, guards=[bearer(config.tokens.admin)], request_max_body_size=MAX_ASK_BYTES)
    async def programme(request: Request[Any, Any, Any]) -> Response[bytes]:
        data = await request.body()
        return Response(await at_desk(lambda: answer_ask(programmes, data, wall_ms())), media_type=MediaType.JSON)

    @get("/health")
    async def health() -> dict[str, bool]:
        return {"ok": True, "simulated": config.simulated}

    prepaid_pages = order, accounts, grants
    return Litestar(
        [batches, requests, totals, known, card_claims, enrol, *prepaid_pages, programme, health, *more(at_desk)],
        lifespan=[lifespan],
        exception_handlers={
            WireError: _sentence,
            StoreError: _sentence,
            DeskError: _sentence,
            HTTPException: _http,
            Exception: _unforeseen,
        },
        request_max_body_size=MAX_MESSAGE_BYTES,
        openapi_config=None,
        logging_config=None,
    )


def listen(config: Config) -> socket.socket:
    """A socket bound to the configured address. CannotListen with a sentence."""
    host, port = config.listen.host, config.listen.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotListen(
            f"cannot listen on {host} port {port} ({error.strerror or error}): another program has it, perhaps "
            "headquarters itself; stop that one, or take another port with --port or in hq.toml"
        ) from error
    return sock


def url_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Litestar, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Serve on `sock` until SIGTERM or SIGINT. `ready` is called once connections are answered."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_WITHIN_S,
        server_header=False,
    )
    asyncio.run(_Server(config, ready).serve(sockets=[sock]))


class _Server(uvicorn.Server):
    """Ends in order on a signal, and says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again after it has ended, which would make an orderly end look like a death."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def bearer(token: str) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """Lets only those pass who send this token."""
    expected = f"Bearer {token}".encode()

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        given = connection.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise NotAuthorizedException("this needs a token of hq.toml: send it as `Authorization: Bearer ...`")

    return guard


def _sentence(_: Request[Any, Any, Any], error: Exception) -> Response[str]:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return Response(str(error), status_code=status, media_type=MediaType.TEXT)


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    return Response(error.detail, status_code=error.status_code, media_type=MediaType.TEXT)


def _unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Response("headquarters failed at this: its log says why", status_code=500, media_type=MediaType.TEXT)
