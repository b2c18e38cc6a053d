"""decide(): every reason for which it refuses, and everything that it asks."""

import inspect
import re

import msgspec
import pytest

from controller.domain import decide as decide_module
from controller.domain.decide import Facts, Needs, Refusal, Request, decide
from controller.domain.desk import Need
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.ladder import Ladder
from controller.domain.lists import ListRow, ListState, Status, Window
from controller.domain.memberships import Membership
from controller.domain.pins import ON_CARD, PinAnswer
from controller.domain.reasons import Reason, limit_reason
from controller.domain.seams import MS_PER_DAY
from controller.domain.tokens import Assurance, TokenRef
from tests.domain.cases import (
    ASKS_ODOMETER,
    AWAY,
    CARD,
    CARD_ROW,
    COPY,
    LONG_AWAY,
    MONDAY_NOON,
    NOW_MS,
    PHONE,
    PLATE,
    PLATE_ROW,
    PREPAID,
    QR,
    SILENT,
    VOUCHER,
    WANTS_PIN,
    WEEKDAYS,
    cap,
    card_row,
    facts,
    request,
    unnamed,
)
from tests.domain.test_decide_approvals import PARTIAL


def unproven(token: TokenRef) -> TokenRef:
    return msgspec.structs.replace(token, assurance=Assurance.IDENTIFIED)


REFUSALS = {
    "there is no list": (request(), facts(None, state=ListState.MISSING), Reason.LIST_MISSING),
    "the list cannot be read": (request(), facts(None, state=ListState.UNREADABLE), Reason.LIST_UNREADABLE),
    "the card may be a copy": (request(COPY), facts(), Reason.CARD_NOT_PROVEN),
    "the copy of an unknown card says no more": (request(COPY), facts(None), Reason.CARD_NOT_PROVEN),
    "the phone number that was told is not on the list": (request(unproven(PHONE)), facts(None), Reason.PHONE_UNKNOWN),
    "the code is not signed": (request(unproven(QR)), facts(), Reason.QR_NOT_PROVEN),
    "the plate was typed, and a camera is wanted": (
        request(PLATE),
        facts(msgspec.structs.replace(PLATE_ROW, assurance=Assurance.CAMERA)),
        Reason.PLATE_NOT_SURE,
    ),
    "a camera read it, and a tag is wanted": (
        request(msgspec.structs.replace(PLATE, assurance=Assurance.CAMERA)),
        facts(msgspec.structs.replace(PLATE_ROW, assurance=Assurance.TAG)),
        Reason.PLATE_NOT_SURE,
    ),
    "the card is not on the list": (request(), facts(None), Reason.CARD_UNKNOWN),
    "the plate is not on the list": (request(PLATE), facts(None), Reason.PLATE_UNKNOWN),
    "the phone is not on the list": (request(PHONE), facts(None), Reason.PHONE_UNKNOWN),
    "the code is not on the list": (request(QR), facts(None), Reason.QR_UNKNOWN),
    "the voucher is not on the list": (request(VOUCHER), facts(None), Reason.VOUCHER_UNKNOWN),
    "the card is stopped": (request(), facts(card_row(status=Status.STOPPED)), Reason.CARD_BLOCKED),
    "not valid yet": (request(), facts(card_row(valid_from_ms=NOW_MS + 1)), Reason.NOT_YET_VALID),
    "expired this very moment": (request(), facts(card_row(valid_until_ms=NOW_MS)), Reason.EXPIRED),
    "its contract is closed": (
        request(),
        facts(card_row(member=Membership("lpg-pass", "C1", contract_valid=False))),
        Reason.CONTRACT_NOT_VALID,
    ),
    "another product": (request(), facts(card_row(products="gasoline")), Reason.PRODUCT_NOT_ALLOWED),
    "none of the products that it may be": (unnamed("gasoline", "kerosene"), facts(), Reason.PRODUCT_NOT_ALLOWED),
    "the card is stopped, whatever was lifted": (
        unnamed("diesel", "autogas"),
        facts(card_row(status=Status.STOPPED)),
        Reason.CARD_BLOCKED,
    ),
    "part of a product's name": (request(), facts(card_row(products="biodiesel")), Reason.PRODUCT_NOT_ALLOWED),
    "another station": (request(), facts(card_row(stations="TR-2,TR-11")), Reason.STATION_NOT_ALLOWED),
    "at night": (
        request(),
        facts(card_row(hours=(WEEKDAYS,)), week_minute=22 * 60),
        Reason.TIME_NOT_ALLOWED,
    ),
    "on a Sunday": (
        request(),
        facts(card_row(hours=(WEEKDAYS,)), week_minute=6 * 1440 + MONDAY_NOON),
        Reason.TIME_NOT_ALLOWED,
    ),
    "the PIN is wrong": (request(pin=PinAnswer.WRONG), facts(WANTS_PIN, pin_wrong=1), Reason.PIN_WRONG),
    "the third wrong PIN": (request(pin=PinAnswer.WRONG), facts(WANTS_PIN, pin_wrong=3), Reason.PIN_LOCKED),
    "the right PIN after three wrong ones": (
        request(pin=PinAnswer.RIGHT),
        facts(WANTS_PIN, pin_wrong=3),
        Reason.PIN_LOCKED,
    ),
    "nobody can check its PIN": (request(), facts(card_row(pin="argon")), Reason.PIN_UNREADABLE),
    "a list that sends us to some card for its PIN": (
        request(pin=PinAnswer.RIGHT),
        facts(card_row(pin=f"{ON_CARD}{CARD.key.hex()}")),
        Reason.PIN_UNREADABLE,
    ),
    "an odometer that no vehicle comes to in a day": (
        request(odometer_km=102_001),
        facts(ASKS_ODOMETER, last_odometer_km=100_000, odometer_age_ms=MS_PER_DAY - 1, odometer_km_a_day=2_000),
        Reason.ODOMETER_IMPLAUSIBLE,
    ),
    "an odometer that runs backwards": (
        request(odometer_km=99_999),
        facts(card_row(ask_odometer=True), last_odometer_km=100_000),
        Reason.ODOMETER_IMPLAUSIBLE,
    ),
    "the third wrong driver's code": (
        request(driver_key=b"stranger"),
        facts(card_row(drivers=(b"driver-1",)), code_wrong=3),
        Reason.CODE_LOCKED,
    ),
    "a right code after three wrong ones": (
        request(driver_key=b"driver-1"),
        facts(card_row(drivers=(b"driver-1",)), code_wrong=3),
        Reason.CODE_LOCKED,
    ),
    "another driver": (request(driver_key=b"stranger"), facts(card_row(drivers=(b"driver-1",))), Reason.DRIVER_UNKNOWN),
    "another vehicle": (
        request(plate_key=b"other"),
        facts(card_row(plate_key=b"plat-key")),
        Reason.PLATE_MISMATCH,
    ),
    "a fill of nothing": (request(), facts(card_row(caps=(cap("fill_volume", 0),))), Reason.LIMIT_FILL),
    "the day's litres are used up": (request(), facts(card_row(day_ml=50_000), used_day_ml=50_000), Reason.LIMIT_DAY),
    "the pump overran the day's litres": (
        request(),
        facts(card_row(day_ml=50_000), used_day_ml=50_010),
        Reason.LIMIT_DAY,
    ),
    "the day's money is used up": (
        request(),
        facts(card_row(day_minor=100_000, day_ml=90_000), used_day_minor=100_000),
        Reason.LIMIT_DAY,
    ),
    "the day's fills are used up": (
        request(),
        facts(card_row(caps=(cap("day_fills", 2),)), used=(2,)),
        Reason.LIMIT_DAY,
    ),
    "the vehicle's week is used up": (
        request(),
        facts(card_row(caps=(cap("vehicle_week_volume", 90_000),)), used=(90_000,)),
        Reason.LIMIT_WEEK,
    ),
    "the account's month is used up": (
        request(),
        facts(card_row(caps=(cap("account_month_amount", 10**6),)), used=(10**6 + 1,)),
        Reason.LIMIT_MONTH,
    ),
    "headquarters grants nothing": (
        request(granted=Granted(0)),
        facts(PREPAID, available_minor=5_000),
        Reason.INSUFFICIENT_FUNDS,
    ),
    "what it grants is no more than a pump may run over": (
        request(granted=Granted(501)),
        facts(PREPAID, overrun_ml=100),
        Reason.INSUFFICIENT_FUNDS,
    ),
    "what is set apart is spent, and headquarters is silent": (
        request(granted=SILENT),
        facts(PREPAID, available_minor=0),
        Reason.INSUFFICIENT_FUNDS,
    ),
    "an overrun has taken more than was set apart": (
        request(granted=SILENT),
        facts(PREPAID, available_minor=-700),
        Reason.INSUFFICIENT_FUNDS,
    ),
    "nothing is set apart, and headquarters is silent": (
        request(granted=SILENT),
        facts(PREPAID),
        Reason.NEEDS_HEADQUARTERS,
    ),
    "the ladder's 70 % of the day are used up": (
        request(),
        facts(card_row(day_ml=50_000), used_day_ml=35_000, **AWAY),
        Reason.LIMIT_OFFLINE,
    ),
    "after a day without headquarters the floor is nothing": (
        request(),
        facts(card_row(fill_ml=50_000), **LONG_AWAY | {"ladder": Ladder(floor_percent=0)}),
        Reason.LIMIT_OFFLINE,
    ),
}


@pytest.mark.parametrize(("asked", "known", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_it_is_refused_when(asked: Request, known: Facts, reason: Reason) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Refusal)
    assert decision.reason is reason


NEEDS = {
    "the PIN is wanted": (request(), facts(WANTS_PIN), Need.PIN),
    "two were wrong, and it is asked again": (request(), facts(WANTS_PIN, pin_wrong=2), Need.PIN),
    "the odometer is wanted": (request(), facts(card_row(ask_odometer=True)), Need.ODOMETER),
    "the driver's code is wanted": (request(), facts(card_row(drivers=(b"driver-1",))), Need.CODE),
    "the card is for one vehicle": (request(), facts(card_row(plate_key=b"plat-key")), Need.PLATE),
    "a voucher is for one vehicle": (request(VOUCHER), facts(card_row(plate_key=b"plat-key")), Need.PLATE),
    "the phone number was only told": (request(unproven(PHONE)), facts(), Need.PHONE_CODE),
    "nothing is set apart": (request(), facts(PREPAID), Need.HEADQUARTERS),
    "what is set apart is spent": (request(), facts(PREPAID, available_minor=0), Need.HEADQUARTERS),
    "the fuel is wanted": (unnamed("diesel", "autogas"), facts(card_row(ask_odometer=True)), Need.GRADE),
}


@pytest.mark.parametrize(("asked", "known", "need"), NEEDS.values(), ids=NEEDS)
def test_it_asks_when(asked: Request, known: Facts, need: Need) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Needs)
    assert decision.need is need


def test_every_reason_of_a_decision_has_a_case() -> None:
    known = {Reason[name] for name in re.findall(r"Reason\.([A-Z_]+)", inspect.getsource(decide_module))}
    known |= {reason for window in Window if (reason := limit_reason(window)) is not None}
    assert {reason for _, _, reason in REFUSALS.values()} == known
    assert Reason.TANK_CAPACITY in {reason for *_, reason in PARTIAL.values()}


def test_a_row_of_before_there_were_other_limits_is_still_read() -> None:
    old = msgspec.msgpack.encode([b"card-key", "card", "active", "ACME", "diesel", 0, 0, b"", False, 60_000])
    row = msgspec.msgpack.decode(old, type=ListRow)
    assert (row.fill_ml, row.caps, row.funds, row.allows_time(0)) == (60_000, (), Funds.POSTPAID, True)
    assert CARD_ROW.allows_station("anywhere")
