"""The portal over HTTP: what a browser asks for, and what it gets. A session is a cookie that no script can read.

Knows no password and no file; `access.py` says who may look, `SalesBook` has the sales.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from litestar import MediaType, Request, Response, Router, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie
from litestar.response import Redirect

from controller.domain.quantities import Currency
from sync.hq.portal.access import IDLE_MS, Access, Account
from sync.hq.portal.excel import TooLong, excel_bytes
from sync.hq.portal.pages import HEADERS, SHOWN_MAX, code_page, password_page, report_page
from sync.hq.portal.report import Filter, FilterError, ReportLine, Totals, filter_of, totals_of
from sync.hq.portal.words import Words, language_of
from sync.hq.sms import Sms

COOKIE = "forecourt_portal"
FORM_BYTES_MAX = 4_096
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FIELDS = ("since", "until", "card", "product", "plate")
_T = TypeVar("_T")


class SalesBook(Protocol):
    """Where a customer's sales are found."""

    def currency(self, programme: str) -> Currency: ...

    def lines(self, programme: str, customers: Collection[str], wanted: Filter) -> Iterator[ReportLine]:
        """The sales of these customers that fit, the earliest first."""
        ...


@dataclass(frozen=True, slots=True)
class Portal:
    """What the routes need. `at_desk` runs work where the database is, `beside` on a thread that nobody waits for;
    `send` gives a message to the SMS gateway.

    `secure`: the cookie goes over TLS only.
    """

    access: Access
    sales: SalesBook
    send: Callable[[Sms], None]
    wall_ms: Callable[[], int]
    at_desk: Callable[[Callable[[], Any]], Awaitable[Any]]
    beside: Callable[[Callable[[], Any]], Awaitable[Any]]
    secure: bool
    simulated: bool


def portal_router(portal: Portal) -> Router:
    """All pages under /portal."""
    one_file = asyncio.Lock()
    """A large fleet's file is made beside the desk, one at a time: stations' batches do not wait for it."""

    @get("/", media_type=MediaType.HTML)
    async def begin(request: Request[Any, Any, Any]) -> Response[str]:
        return _html(code_page(_words(request), simulated=portal.simulated))

    @post("/code", media_type=MediaType.HTML, status_code=200)
    async def ask(request: Request[Any, Any, Any]) -> Response[str]:
        form = await _form(request)
        code = form.get("code", "")

        message = await portal.at_desk(lambda: portal.access.ask(code, portal.wall_ms()))
        page = password_page(_words(request), code, wrong=False, simulated=portal.simulated)
        # Sent when the answer is out: what it takes would tell who is registered.
        send = None if message is None else BackgroundTask(portal.at_desk, lambda: portal.send(message))
        return Response(page, media_type=MediaType.HTML, headers=HEADERS, background=send)

    @post("/enter", media_type=MediaType.HTML)
    async def enter(request: Request[Any, Any, Any]) -> Response[Any]:
        form = await _form(request)
        code, password = form.get("code", ""), form.get("password", "")
        token = await portal.at_desk(lambda: portal.access.enter(code, password, portal.wall_ms()))
        if token is None:
            page = password_page(_words(request), code, wrong=True, simulated=portal.simulated)
            return _html(page, status=403)
        return Redirect("/portal/report", status_code=303, cookies=[_cookie(portal, token)])

    @post("/leave")
    async def leave(request: Request[Any, Any, Any]) -> Response[Any]:
        token = request.cookies.get(COOKIE, "")
        await portal.at_desk(lambda: portal.access.leave(token))
        return Redirect("/portal", status_code=303, cookies=[_cookie(portal, "", max_age=0)])

    @get("/report", media_type=MediaType.HTML)
    async def report(request: Request[Any, Any, Any]) -> Response[Any]:
        words = _words(request)
        found = await portal.at_desk(lambda: _look(portal, request))
        if found is None:
            return Redirect("/portal", status_code=303)
        page = report_page(
            words,
            found.account.code,
            found.wanted,
            found.lines[:SHOWN_MAX],
            found.totals,
            portal.sales.currency(found.account.programme),
            wrong=found.wrong,
            query=urlencode({name: request.query_params.get(name, "") for name in _FIELDS}),
            simulated=portal.simulated,
        )
        return _html(page, status=400 if found.wrong else 200)

    @get("/report.xlsx")
    async def excel(request: Request[Any, Any, Any]) -> Response[Any]:
        words = _words(request)

        found = await portal.at_desk(lambda: _look(portal, request))
        if found is None:
            return Redirect("/portal", status_code=303)
        wrong, data = found.wrong, b""
        if not wrong:
            currency = portal.sales.currency(found.account.programme)
            try:
                async with one_file:
                    data = await portal.beside(lambda: excel_bytes(found.lines, found.totals, currency, words))
            except TooLong as error:
                wrong = str(error)
        if wrong:
            return Response(wrong, status_code=400, media_type=MediaType.TEXT, headers=HEADERS)
        headers = {**HEADERS, "Content-Disposition": 'attachment; filename="sales.xlsx"'}
        return Response(data, media_type=EXCEL, headers=headers)

    return Router(
        "/portal",
        route_handlers=[begin, ask, enter, leave, report, excel],
        include_in_schema=False,
        request_max_body_size=FORM_BYTES_MAX,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    account: Account
    wanted: Filter
    wrong: str
    lines: list[ReportLine]
    totals: Totals


def _look(portal: Portal, request: Request[Any, Any, Any]) -> _Found | None:
    """What this session may see of what was asked for; None without a session."""
    account = portal.access.account(request.cookies.get(COOKIE, ""), portal.wall_ms())
    if account is None:
        return None
    try:
        wanted = filter_of(*(request.query_params.get(name, "") for name in _FIELDS))
    except FilterError as error:
        return _Found(account, Filter(), str(error), [], Totals())
    lines = list(portal.sales.lines(account.programme, account.customers, wanted))
    return _Found(account, wanted, "", lines, totals_of(lines))


async def _form(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The form's fields that are text."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _words(request: Request[Any, Any, Any]) -> Words:
    return language_of(request.headers.get("accept-language", ""))


def _html(page: str, status: int = 200) -> Response[str]:
    return Response(page, status_code=status, media_type=MediaType.HTML, headers=HEADERS)


def _cookie(portal: Portal, token: str, max_age: int = IDLE_MS // 1000) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=token,
        path="/portal",
        max_age=max_age,
        httponly=True,
        secure=portal.secure,
        samesite="strict",
    )
