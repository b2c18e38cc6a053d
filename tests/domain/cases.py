"""Requests, facts and list rows for tests of decisions: short ways to write them, and strategies of all of them."""

from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import strategies as st

from controller.domain.decide import Facts, Request
from controller.domain.desk import Need
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.ladder import MS_PER_HOUR, Ladder, Step
from controller.domain.lists import Cap, Hours, Level, ListRow, ListState, LookUp, Measure, Status, Window
from controller.domain.pins import ON_CARD, PinAnswer, Verifier
from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.domain.seams import MS_PER_DAY
from controller.domain.tokens import Assurance, TokenKind, TokenRef

NOW_MS = 1_790_000_000_000
LIRA = CURRENCIES["TRY"]
PRICE = UnitPrice(5000, 2)
CARD = TokenRef(TokenKind.CARD, b"card-key", "782100******0012", Assurance.PROVEN)
COPY = TokenRef(TokenKind.CARD, b"card-key", "782100******0012", Assurance.IDENTIFIED)
PLATE = TokenRef(TokenKind.PLATE, b"plat-key", "34****23", Assurance.IDENTIFIED)
PHONE = TokenRef(TokenKind.PHONE, b"phon-key", "+90******12", Assurance.PROVEN)
QR = TokenRef(TokenKind.QR, b"qrco-key", "******12", Assurance.PROVEN)
VOUCHER = TokenRef(TokenKind.VOUCHER, b"vouc-key", "V***9", Assurance.IDENTIFIED)
CARD_ROW = ListRow(CARD.key, TokenKind.CARD, Status.ACTIVE, "ACME", products="diesel,autogas")
PLATE_ROW = ListRow(PLATE.key, TokenKind.PLATE, Status.ACTIVE, "BURSA-SU")
PIN = Verifier(2, bytes(16), bytes(32)).text
"""Nobody's: a decision never verifies."""
LADDER = Ladder()
MONDAY_NOON = 12 * 60


def request(token: TokenRef = CARD, **answers: Any) -> Request:
    return Request(token, "diesel", PRICE, LIRA, **answers)


def unnamed(*grades: str, token: TokenRef = CARD, **answers: Any) -> Request:
    """Of a point with these grades, whose pump does not say which nozzle was lifted."""
    return Request(token, "", None, LIRA, grades=grades, **answers)


def facts(row: ListRow | None = CARD_ROW, *, state: ListState = ListState.READY, **known: Any) -> Facts:
    usual: dict[str, Any] = {"station": "TR-1", "week_minute": MONDAY_NOON, "ladder": LADDER}
    return Facts(LookUp(state, 3, row), **usual | known)


def card_row(**conditions: Any) -> ListRow:
    return msgspec.structs.replace(CARD_ROW, **conditions)


def cap(name: str, most: int) -> Cap:
    """As "account_month_volume"."""
    *level, window, measure = name.split("_")
    return Cap(Level(level[0] if level else "card"), Window(window), Measure(measure), most)


PREPAID = card_row(funds=Funds.PREPAID)
SILENT = Granted(None)
WANTS_PIN = card_row(pin=PIN)
ASKS_ODOMETER = card_row(ask_odometer=True)
WEEKDAYS = Hours(0b11111, 6 * 60, 22 * 60)
AWAY: dict[str, Any] = {"contact_age_ms": 13 * MS_PER_HOUR}
LONG_AWAY: dict[str, Any] = {"contact_age_ms": 25 * MS_PER_HOUR}

small = st.integers(0, 3)
amounts = st.integers(0, 200_000)
keys = st.sampled_from([b"", b"plat-key", b"other"])
moments = st.sampled_from([0, NOW_MS - 1, NOW_MS, NOW_MS + 1])
caps = st.builds(Cap, st.sampled_from(Level), st.sampled_from(Window), st.sampled_from(Measure), small | amounts)
hours = st.builds(Hours, st.integers(0, 127), st.integers(0, 1439), st.integers(0, 1439))
list_rows = st.builds(
    ListRow,
    key=st.just(CARD.key),
    kind=st.sampled_from(TokenKind),
    status=st.sampled_from([Status.ACTIVE] * 4 + [Status.STOPPED]),
    account=st.just("ACME"),
    products=st.sampled_from(["", "diesel", "gasoline", "diesel,gasoline", ","]),
    valid_from_ms=moments,
    valid_until_ms=moments,
    plate_key=keys,
    ask_odometer=st.booleans(),
    fill_ml=small | amounts,
    fill_minor=small | amounts,
    day_ml=small | amounts,
    day_minor=small | amounts,
    stations=st.sampled_from(["", "", "TR-1", "TR-2,TR-3"]),
    hours=st.just(()) | st.lists(hours, max_size=2).map(tuple),
    pin=st.sampled_from(["", "", PIN, "scrypt$", f"{ON_CARD}{CARD.key.hex()}"]),
    pin_version=small,
    drivers=st.sampled_from([(), (), (b"driver-1", b"driver-2")]),
    tank_ml=small | amounts,
    caps=st.lists(caps, max_size=3).map(tuple),
    vehicle_key=keys,
    funds=st.sampled_from(Funds),
    assurance=st.sampled_from(Assurance),
)
tokens = st.sampled_from([CARD, CARD, COPY, PLATE, PHONE, QR, VOUCHER]) | st.builds(
    TokenRef, st.sampled_from(TokenKind), st.just(b"any-one."), st.just("*"), st.sampled_from(Assurance)
)
prices = st.sampled_from([PRICE, UnitPrice(1, 0), UnitPrice(23, -3), UnitPrice(0, 2)])
granted = st.none() | st.builds(Granted, st.none() | small | amounts)
wishes = st.none() | st.integers(1, 100_000)
answers: dict[str, st.SearchStrategy[Any]] = {
    "token": tokens,
    "currency": st.just(LIRA),
    "plate_key": st.none() | st.sampled_from([b"plat-key", b"other"]),
    "odometer_km": st.none() | small,
    "pin": st.none() | st.sampled_from(PinAnswer),
    "driver_key": st.none() | st.sampled_from([b"driver-1", b"stranger"]),
    "granted": granted,
    "wanted_ml": wishes,
    "wanted_minor": wishes,
}
points_grades = st.sampled_from([("diesel", "gasoline"), ("diesel", "autogas", "diesel"), ("autogas", "diesel")])
requests = st.builds(
    Request, grade=st.sampled_from(["diesel", "gasoline"]), price=prices, grades=st.just(()), **answers
) | st.builds(Request, grade=st.sampled_from(["", "diesel"]), price=st.none() | prices, grades=points_grades, **answers)
ladders = st.none() | st.builds(
    Ladder, st.sampled_from([(), Ladder().steps, (Step(1, 50),)]), st.sampled_from([0, 30, 100])
)
look_ups = st.one_of(
    st.builds(LookUp, st.just(ListState.READY), small, list_rows, st.booleans()),
    st.builds(LookUp, st.sampled_from(ListState), small, st.none()),
)
all_facts = st.builds(
    Facts,
    found=look_ups,
    used_day_ml=small | amounts,
    used_day_minor=small | amounts,
    last_odometer_km=small,
    station=st.sampled_from(["TR-1", "TR-3"]),
    week_minute=st.integers(0, 7 * 1440 - 1),
    used=st.lists(small | amounts, max_size=4).map(tuple),
    pin_wrong=st.integers(0, 4),
    code_wrong=st.integers(0, 4),
    contact_age_ms=st.none() | st.integers(0, 40 * MS_PER_HOUR),
    ladder=ladders,
    available_minor=st.none() | st.integers(-5, 200_000),
    overrun_ml=st.sampled_from([0, 100]),
    odometer_age_ms=st.none() | st.integers(0, 3 * MS_PER_DAY),
    odometer_km_a_day=st.sampled_from([0, 1]),
)


def with_answer(asked: Request, need: Need) -> Request:
    """The request with an answer that a good row takes."""
    match need:
        case Need.GRADE:
            return replace(asked, grade=asked.grades[0], price=PRICE)
        case Need.PIN:
            return replace(asked, pin=PinAnswer.RIGHT)
        case Need.ODOMETER:
            return replace(asked, odometer_km=1)
        case Need.CODE:
            return replace(asked, driver_key=b"driver-1")
        case Need.PLATE:
            return replace(asked, plate_key=b"plat-key")
        case Need.PHONE_CODE:
            return replace(asked, token=msgspec.structs.replace(asked.token, assurance=Assurance.PROVEN))
        case Need.HEADQUARTERS:
            return replace(asked, granted=Granted(100_000))
