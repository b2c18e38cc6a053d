"""The portal: who may look, what is shown, and what an Excel program reads of it."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Awaitable, Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import openpyxl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy.pool import StaticPool

from controller.domain.quantities import CURRENCIES, Currency
from sync.hq.portal.access import (
    AN_HOUR,
    BETWEEN_MS,
    HOUR_MS,
    IDLE_MS,
    PASSWORD_DIGITS,
    PASSWORD_MS,
    SESSION_MS,
    TRIES,
    Access,
    Account,
)
from sync.hq.portal.accounts import AccountError, Accounts, checked
from sync.hq.portal.excel import SHEET_ROWS_MAX, TooLong, excel_bytes
from sync.hq.portal.report import Filter, FilterError, ReportLine, Totals, filter_of, totals_of, wanted_lines
from sync.hq.portal.routes import COOKIE, Portal, portal_router
from sync.hq.portal.words import LANGUAGES, language_of
from sync.hq.sms import Sms, Spool

ISTANBUL = ZoneInfo("Europe/Istanbul")
TRY = CURRENCIES["TRY"]
FLEET = Account("FLEET-1", "+905321112233", "lpg-pass", ("C1",))
AGENCY = Account("Agency İz", "+905329998877", "lpg-pass", ("C1", "C2"), agency=True)
LINES = (
    ReportLine(
        "C1", "34 ABC 123", "7001000011112222", "IST-1", datetime(2026, 1, 5, 9, 30, tzinfo=ISTANBUL),
        "autogas", 40_000, 1_000_00, 30_00,
    ),
    ReportLine(
        "C1", "=1+1", "7001000011113333", "IST-2", datetime(2026, 1, 31, 23, 59, tzinfo=ISTANBUL),
        "diesel", 50_500, 2_222_05, 0,
    ),
    ReportLine(
        "C2", "06 <b>", "7001000044445555", "ANK-1", datetime(2026, 2, 1, 0, 0, tzinfo=ISTANBUL),
        "autogas", 10_001, 250_03, 7_50,
    ),
)  # fmt: skip


def access(seed: int = 1) -> Access:
    accounts = {"fleet-1": FLEET, "agency i̇z": AGENCY}
    return Access(accounts.get, random.Random(seed).randbytes, b"salt")


def password_in(message: Sms | None) -> str:
    assert message is not None
    found = re.match(rf"\d{{{PASSWORD_DIGITS}}} ", message.text)
    assert found is not None
    return found[0].strip()


# ---- who may look


def test_a_password_goes_to_the_registered_phone_and_opens_once() -> None:
    door = access()
    message = door.ask(" Fleet-1 ", 0)
    assert message is not None
    assert message.phone == FLEET.phone
    token = door.enter("fleet-1", password_in(message), 1)
    assert token is not None
    assert door.account(token, 2) == FLEET
    assert door.enter("fleet-1", password_in(message), 3) is None


def test_an_unknown_code_gets_no_message_and_no_session() -> None:
    door = access()
    assert door.ask("nobody", 0) is None
    assert door.enter("nobody", "000000", 1) is None
    assert door.account("", 1) is None


def test_three_wrong_passwords_end_it_and_the_right_one_is_then_wrong_too() -> None:
    door = access()
    right = password_in(door.ask("FLEET-1", 0))
    wrong = "000000" if right != "000000" else "000001"
    assert [door.enter("FLEET-1", wrong, 1) for _ in range(TRIES)] == [None] * TRIES
    assert door.enter("FLEET-1", right, 2) is None


def test_a_password_has_its_time() -> None:
    door = access()
    right = password_in(door.ask("FLEET-1", 0))
    assert door.enter("FLEET-1", right, PASSWORD_MS) is None
    again = password_in(door.ask("FLEET-1", PASSWORD_MS))
    assert door.enter("FLEET-1", again, 2 * PASSWORD_MS - 1) is not None


def test_a_phone_is_not_rung_all_night() -> None:
    door = access()
    assert door.ask("FLEET-1", 0) is not None
    assert door.ask("FLEET-1", BETWEEN_MS - 1) is None
    sent = [door.ask("FLEET-1", number * BETWEEN_MS) for number in range(1, AN_HOUR + 3)]
    assert [message is not None for message in sent] == [True] * (AN_HOUR - 1) + [False] * 3
    assert door.ask("FLEET-1", HOUR_MS) is not None


def test_a_session_ends_when_nobody_looks_and_after_a_working_day() -> None:
    door = access()
    token = door.enter("FLEET-1", password_in(door.ask("FLEET-1", 0)), 0)
    assert token is not None
    assert door.account(token, IDLE_MS - 1) == FLEET
    assert door.account(token, 2 * IDLE_MS - 2) == FLEET
    assert door.account(token, 3 * IDLE_MS) is None
    token = door.enter("FLEET-1", password_in(door.ask("FLEET-1", HOUR_MS)), HOUR_MS)
    assert token is not None
    looks = range(HOUR_MS, HOUR_MS + SESSION_MS, IDLE_MS // 2)
    assert all(door.account(token, at) == FLEET for at in looks)
    assert door.account(token, HOUR_MS + SESSION_MS) is None


def test_who_leaves_has_left() -> None:
    door = access()
    token = door.enter("FLEET-1", password_in(door.ask("FLEET-1", 0)), 0)
    assert token is not None
    door.leave(token)
    assert door.account(token, 1) is None


def test_another_registered_phone_ends_sessions_and_passwords_of_the_one_before() -> None:
    accounts = {"fleet-1": FLEET}
    door = Access(accounts.get, random.Random(1).randbytes, b"salt")
    token = door.enter("FLEET-1", password_in(door.ask("FLEET-1", 0)), 0)
    on_its_way = password_in(door.ask("FLEET-1", BETWEEN_MS))
    assert token is not None
    accounts["fleet-1"] = msgspec.structs.replace(FLEET, phone="+905320000000")
    assert door.account(token, BETWEEN_MS) is None
    assert door.enter("FLEET-1", on_its_way, BETWEEN_MS) is None
    accounts["fleet-1"] = FLEET
    assert door.account(token, BETWEEN_MS) is None, "it is over for good"


def test_a_clock_that_was_ahead_locks_nobody_out() -> None:
    door = access()
    assert door.ask("FLEET-1", 1_000 * HOUR_MS) is not None
    assert door.ask("FLEET-1", HOUR_MS) is not None


def test_nobody_guesses_a_password_of_a_thousand_codes_within_a_month() -> None:
    guesses = 1_000 * AN_HOUR * TRIES * 24 * 30
    assert guesses < 10**PASSWORD_DIGITS // 5


@given(st.text(), st.text())
def test_anything_typed_opens_nothing(code: str, password: str) -> None:
    door = access()
    door.ask(code, 0)
    assert door.enter(code, password, 1) is None
    assert door.account(password, 1) is None


# ---- what is shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("", "", "", "", ""), [0, 1, 2]),
        (("2026-01-31", "2026-01-31", "", "", ""), [1]),
        (("2026-02-01", "", "", "", ""), [2]),
        (("", "2026-01-05", "", "", ""), [0]),
        (("", "", "1111 2222", "", ""), [0]),
        (("", "", "", "autogas", ""), [0, 2]),
        (("", "", "", "", "34-abc-123"), [0]),
    ],
)
def test_a_filter_leaves_what_was_asked_for(words: tuple[str, str, str, str, str], expected: list[int]) -> None:
    assert list(wanted_lines(LINES, filter_of(*words))) == [LINES[at] for at in expected]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("yesterday", "", "", "", ""), "from: a day such as"),
        (("2026-02-01", "2026-01-01", "", "", ""), "the first day is after the last"),
        (("", "", "123", "", ""), "card: at least the last 4 digits"),
        (("", "", "", "", "*"), "plate: "),
    ],
)
def test_a_filter_that_cannot_be_meant_is_said(words: tuple[str, str, str, str, str], says: str) -> None:
    with pytest.raises(FilterError, match=says):
        filter_of(*words)


def test_the_totals_are_exact() -> None:
    assert totals_of(LINES) == Totals(3, 100_501, 3_472_08, 37_50)


def test_an_excel_program_reads_numbers_dates_and_no_formula() -> None:
    data = excel_bytes(LINES, totals_of(LINES), TRY, LANGUAGES["tr"])
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][:3] == ("Müşteri", "Plaka", "Kart")
    assert rows[0][7] == "Tutar (TRY)"
    assert rows[1][:6] == ("C1", "34 ABC 123", "700100******2222", "IST-1", datetime(2026, 1, 5, 9, 30), "otogaz")
    assert [str(number) for number in rows[2][6:]] == ["50.5", "2222.05", "0.0"]
    assert rows[2][1] == "=1+1"
    assert sheet["B3"].data_type == "s"
    assert rows[4][0] == "Satış: 3"
    assert [str(number) for number in rows[4][6:]] == ["100.501", "3472.08", "37.5"]


def test_more_than_a_sheet_holds_is_said() -> None:
    with pytest.raises(TooLong, match="shorter time"):
        excel_bytes(iter(()), Totals(SHEET_ROWS_MAX - 1), TRY, LANGUAGES["en"])


def test_every_language_has_all_words_and_unknown_ones_get_english() -> None:
    assert language_of("fr, vi;q=0.8").language == "vi"
    assert language_of("").language == language_of("xx").language == "en"
    assert len({len(words.columns) for words in LANGUAGES.values()}) == 1


# ---- who is registered


def test_accounts_are_kept_changed_and_removed() -> None:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as db:
        Accounts.make_tables(db)
        accounts = Accounts(db)
        accounts.put(checked("FLEET-1", "0090 532 111 22 33", "lpg-pass", ("C1",), agency=False))
        accounts.put(AGENCY)
        assert accounts.all()["fleet-1"] == FLEET
        accounts.put(checked("fleet-1", "+905321110000", "lpg-pass", ("C9",), agency=False))
        assert accounts.all()["fleet-1"].phone == "+905321110000"
        assert (accounts.remove("FLEET-1"), accounts.remove("FLEET-1")) == (True, False)
        assert list(accounts.all().values()) == [AGENCY]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (("", "+905321112233", ("C1",), False), "a code has 1 to 64 letters"),
        (("F", "532 111", ("C1",), False), "a phone number has its country's code"),
        (("F", "+905321112233", (), False), "at least one customer"),
        (("F", "+905321112233", ("C1", "C2"), False), "for an agency"),
    ],
)
def test_what_cannot_be_registered_is_said(fields: tuple[str, str, tuple[str, ...], bool], says: str) -> None:
    code, phone, customers, agency = fields
    with pytest.raises(AccountError, match=says):
        checked(code, phone, "lpg-pass", customers, agency=agency)


# ---- in a browser


class Sales:
    def currency(self, programme: str) -> Currency:
        return TRY

    def lines(self, programme: str, customers: Collection[str], wanted: Filter) -> Iterator[ReportLine]:
        return wanted_lines((line for line in LINES if line.customer in customers), wanted)


@pytest.fixture
def browser() -> Iterator[tuple[TestClient[Litestar], list[Sms], list[int]]]:
    sent: list[Sms] = []
    now = [0]

    async def at_desk(work: Callable[[], Any]) -> Any:
        return work()

    desk: Callable[[Callable[[], Any]], Awaitable[Any]] = at_desk
    portal = Portal(access(), Sales(), sent.append, lambda: now[0], desk, desk, secure=False, simulated=True)
    with TestClient(Litestar([portal_router(portal)])) as client:
        yield client, sent, now


Browser = tuple[TestClient[Litestar], list[Sms], list[int]]


def log_in(browser: Browser, code: str) -> None:
    client, sent, _ = browser
    assert "Send password" in client.get("/portal").text
    assert "Password" in client.post("/portal/code", data={"code": code}).text
    answer = client.post(
        "/portal/enter", data={"code": code, "password": password_in(sent[-1])}, follow_redirects=False
    )
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_a_customer_sees_its_sales_and_no_others(browser: Browser) -> None:
    client, _, _ = browser
    log_in(browser, "FLEET-1")
    page = client.get("/portal/report").text
    assert "SIMULATION" in page
    assert "34 ABC 123" in page
    assert "700100******2222" in page
    assert "7001000011112222" not in page
    assert "06 &lt;b&gt;" not in page
    assert "Sales: 2" in page


def test_an_agency_sees_all_its_customers_and_what_they_write_is_only_text(browser: Browser) -> None:
    client, _, _ = browser
    log_in(browser, "Agency İz")
    page = client.get("/portal/report", params={"product": "autogas", "since": "2026-02-01"}).text
    assert "06 &lt;b&gt;" in page
    assert "Sales: 1" in page
    data = client.get("/portal/report.xlsx", params={"product": "autogas"}).content
    assert openpyxl.load_workbook(io.BytesIO(data)).active.max_row == 4


def test_without_a_session_there_is_nothing_to_see(browser: Browser) -> None:
    client, sent, now = browser
    for path in ("/portal/report", "/portal/report.xlsx"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/portal")
    assert client.post("/portal/enter", data={"code": "FLEET-1", "password": "123456"}).status_code == 403
    client.post("/portal/code", data={"code": "stranger"})
    assert sent == []
    log_in(browser, "FLEET-1")
    now[0] = IDLE_MS
    assert client.get("/portal/report", follow_redirects=False).status_code == 303


def test_a_password_is_sent_when_the_answer_is_out() -> None:
    """How long it takes to hand it over would tell who is registered."""
    order: list[str] = []

    async def at_desk(work: Callable[[], Any]) -> Any:
        return work()

    portal = Portal(
        access(), Sales(), lambda _: order.append("sent"), lambda: 0, at_desk, at_desk, secure=False, simulated=True
    )
    inner = Litestar([portal_router(portal)])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            order.append(message["type"])
            await send(message)

        await inner(scope, receive, told if scope["type"] == "http" else send)

    with TestClient(app) as client:
        client.post("/portal/code", data={"code": "FLEET-1"})
    assert order == ["http.response.start", "http.response.body", "sent"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name"),
        ("application/json", b'{"code": 7}'),
        ("application/x-www-form-urlencoded", b"code=%ED%A0%80&code=%ff&password=%00"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"code=+AGE-"),
    ],
)
def test_a_form_that_is_none_opens_nothing_and_breaks_nothing(browser: Browser, kind: str, body: bytes) -> None:
    client, sent, _ = browser
    for path in ("/portal/code", "/portal/enter"):
        answer = client.post(path, content=body, headers={"content-type": kind})
        assert answer.status_code in {200, 400, 403}, answer.text
    assert sent == []


def test_leaving_ends_the_session_also_for_who_kept_the_cookie(browser: Browser) -> None:
    client, _, _ = browser
    log_in(browser, "FLEET-1")
    kept = client.cookies[COOKIE]
    client.post("/portal/leave")
    client.cookies.set(COOKIE, kept)
    assert client.get("/portal/report", follow_redirects=False).status_code == 303


def test_a_wrong_filter_is_said_and_a_long_form_is_refused(browser: Browser) -> None:
    client, _, _ = browser
    log_in(browser, "FLEET-1")
    answer = client.get("/portal/report", params={"card": "12"})
    assert (answer.status_code, "card: at least the last 4 digits" in answer.text) == (400, True)
    assert client.get("/portal/report.xlsx", params={"since": "x"}).status_code == 400
    assert client.post("/portal/code", data={"code": "x" * 10_000}).status_code == 413


def test_a_page_runs_no_script_and_is_not_kept(browser: Browser) -> None:
    client, _, _ = browser
    headers = client.get("/portal").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_two_spools_of_one_folder_lose_no_message(tmp_path: Path) -> None:
    """The portal has one and the stations' questions have one; both may write in the same millisecond."""
    for phone in ("+905321112233", "+905329998877"):
        Spool(tmp_path / "messages", lambda: 1_000).send(Sms(phone, "text"))
    phones = {msgspec.json.decode(path.read_bytes())["phone"] for path in (tmp_path / "messages").glob("*.json")}
    assert phones == {"+905321112233", "+905329998877"}
