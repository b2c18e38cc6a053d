"""decide(): every reason, the order of the checks, an answer to everything, and evidence to make it again from."""

import inspect
import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given

from controller.domain import decide as decide_module
from controller.domain.decide import CHECKS, Approved, Decision, Facts, Needs, Refusal, Request, decide
from controller.domain.desk import Need
from controller.domain.explain import again
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.ladder import MS_PER_HOUR, Ladder
from controller.domain.lists import Hours, ListRow, ListState, LookUp, Measure, Status
from controller.domain.memberships import Membership
from controller.domain.pins import ON_CARD, PinAnswer
from controller.domain.reasons import Reason
from controller.domain.records import Evidence, Limits
from controller.domain.seams import MS_PER_DAY
from controller.domain.tokens import Assurance, TokenRef
from tests.domain.cases import (
    CARD,
    CARD_ROW,
    COPY,
    LIRA,
    MONDAY_NOON,
    NOW_MS,
    PHONE,
    PIN,
    PLATE,
    PLATE_ROW,
    PREPAID,
    PRICE,
    QR,
    SILENT,
    VOUCHER,
    all_facts,
    cap,
    card_row,
    facts,
    request,
    requests,
    unnamed,
)

WEEKDAYS = Hours(0b11111, 6 * 60, 22 * 60)
AWAY: dict[str, Any] = {"contact_age_ms": 13 * MS_PER_HOUR}
LONG_AWAY: dict[str, Any] = {"contact_age_ms": 25 * MS_PER_HOUR}
WANTS_PIN = card_row(pin=PIN)
ON_CARD_FOUND = LookUp(ListState.READY, 3, card_row(pin=f"{ON_CARD}{CARD.key.hex()}"), pin_on_card=True)
ASKS_ODOMETER = card_row(ask_odometer=True)


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


def test_everything_is_asked_for_in_the_order_of_the_checks() -> None:
    row = card_row(pin=PIN, ask_odometer=True, drivers=(b"driver-1",), plate_key=b"plat-key", funds=Funds.PREPAID)
    asked, order = unnamed("diesel", "autogas"), []
    while isinstance(decision := decide(asked, facts(row), NOW_MS), Needs):
        order.append(decision.need)
        asked = with_answer(asked, decision.need)
    assert order == [Need.GRADE, Need.PIN, Need.ODOMETER, Need.CODE, Need.PLATE, Need.HEADQUARTERS]
    assert isinstance(decision, Approved)


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


APPROVALS = {
    "nothing is limited": (request(), facts(), Limits()),
    "a plate is never asked for its plate": (
        request(PLATE),
        facts(msgspec.structs.replace(PLATE_ROW, plate_key=b"other")),
        Limits(),
    ),
    "a tag is surer than a camera": (
        request(msgspec.structs.replace(PLATE, assurance=Assurance.TAG)),
        facts(msgspec.structs.replace(PLATE_ROW, assurance=Assurance.CAMERA)),
        Limits(),
    ),
    "the first moment of its time": (request(), facts(card_row(valid_from_ms=NOW_MS)), Limits()),
    "the last moment of its time": (request(), facts(card_row(valid_until_ms=NOW_MS + 1)), Limits()),
    "this station of several": (request(), facts(card_row(stations="TR-2,TR-1")), Limits()),
    "in its hours": (request(), facts(card_row(hours=(WEEKDAYS,)), week_minute=6 * 60), Limits()),
    "the right PIN after two wrong ones": (
        request(pin=PinAnswer.RIGHT),
        facts(WANTS_PIN, pin_wrong=2),
        Limits(),
    ),
    "the right driver": (request(driver_key=b"driver-1"), facts(card_row(drivers=(b"driver-1",))), Limits()),
    "the right vehicle": (request(plate_key=b"plat-key"), facts(card_row(plate_key=b"plat-key")), Limits()),
    "a plausible odometer": (
        request(odometer_km=100_000),
        facts(card_row(ask_odometer=True), last_odometer_km=100_000),
        Limits(),
    ),
    "an odometer that a vehicle can have come to in two days": (
        request(odometer_km=104_000),
        facts(ASKS_ODOMETER, last_odometer_km=100_000, odometer_age_ms=MS_PER_DAY, odometer_km_a_day=2_000),
        Limits(),
    ),
    "a first odometer, however high": (
        request(odometer_km=9_999_999),
        facts(ASKS_ODOMETER, odometer_km_a_day=2_000),
        Limits(),
    ),
    "an odometer without an upper bound": (
        request(odometer_km=9_999_999),
        facts(ASKS_ODOMETER, last_odometer_km=5, odometer_age_ms=0),
        Limits(),
    ),
    "the right PIN, by the card's own word": (
        request(pin=PinAnswer.RIGHT),
        replace(facts(), found=ON_CARD_FOUND),
        Limits(),
    ),
    "a new vehicle with nothing on the clock": (request(odometer_km=0), facts(card_row(ask_odometer=True)), Limits()),
    "what is left of the day": (
        request(),
        facts(card_row(day_ml=50_000, fill_ml=60_000), used_day_ml=20_000),
        Limits(30_000, None, "volume:day"),
    ),
    "one fill binds before the day does": (
        request(),
        facts(card_row(day_ml=50_000, fill_ml=20_000), used_day_ml=20_000),
        Limits(20_000, None, "volume:fill"),
    ),
    "litres and money each have their limit": (
        request(),
        facts(card_row(fill_ml=60_000, day_minor=100_000), used_day_minor=1),
        Limits(60_000, 99_999, "volume:fill,amount:day"),
    ),
    "the account's month is smaller than the card's day": (
        request(),
        facts(
            card_row(day_ml=50_000, caps=(cap("account_month_volume", 9_000_000), cap("vehicle_week_volume", 70_000))),
            used=(8_990_000, 0),
        ),
        Limits(10_000, None, "volume:account_month"),
    ),
    "a limit of fills has nothing to say of litres": (
        request(),
        facts(card_row(caps=(cap("month_fills", 9),)), used=(8,)),
        Limits(),
    ),
    "the tank holds less than a fill may be": (
        request(),
        facts(card_row(tank_ml=45_000, fill_ml=60_000)),
        Limits(45_000, None, "volume:tank"),
    ),
    "used without a limit is no limit": (request(), facts(used_day_ml=10**9, used_day_minor=10**9), Limits()),
    "what is set apart, less what a pump runs over": (
        request(),
        facts(PREPAID, available_minor=100_000, overrun_ml=100),
        Limits(None, 99_499, "amount:allotment"),
    ),
    "headquarters' word goes before what is set apart": (
        request(granted=Granted(7_000)),
        facts(PREPAID, available_minor=100_000),
        Limits(None, 7_000, "amount:funds"),
    ),
    "what was asked for": (request(wanted_ml=20_000), facts(), Limits(20_000, None, "volume:preset")),
    "no more than is left of what was asked for": (
        request(wanted_ml=40_000),
        facts(card_row(day_ml=50_000), used_day_ml=20_000),
        Limits(30_000, None, "volume:day"),
    ),
    "half a day without headquarters": (
        request(),
        facts(card_row(day_ml=50_000, fill_ml=60_000), used_day_ml=20_000, **AWAY),
        Limits(15_000, None, "volume:offline_day"),
    ),
    "eleven hours are no time": (
        request(),
        facts(card_row(day_ml=50_000), contact_age_ms=12 * MS_PER_HOUR - 1),
        Limits(50_000, None, "volume:day"),
    ),
    "what is set apart does not shrink": (
        request(),
        facts(PREPAID, available_minor=100_000, **LONG_AWAY),
        Limits(None, 100_000, "amount:allotment"),
    ),
}


@pytest.mark.parametrize(("asked", "known", "limits"), APPROVALS.values(), ids=APPROVALS)
def test_it_is_approved_when(asked: Request, known: Facts, limits: Limits) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Approved)
    assert decision.limits == limits
    assert known.found.row is not None
    assert (decision.account, decision.funds) == (known.found.row.account, known.found.row.funds)


PARTIAL = {
    "the whole fill is no part of it": (request(), facts(card_row(fill_ml=60_000)), "fill", None),
    "nor is a day of which nothing is used": (request(), facts(card_row(day_ml=60_000)), "day", None),
    "nor what was asked for": (
        request(wanted_ml=5_000),
        facts(card_row(day_ml=60_000), used_day_ml=20_000),
        "preset",
        None,
    ),
    "what is left of the day": (request(), facts(card_row(day_ml=60_000), used_day_ml=1), "day", Reason.LIMIT_DAY),
    "less than was asked for": (request(wanted_ml=70_000), facts(card_row(fill_ml=60_000)), "fill", Reason.LIMIT_FILL),
    "more than the tank holds": (
        request(wanted_ml=70_000),
        facts(card_row(tank_ml=60_000)),
        "tank",
        Reason.TANK_CAPACITY,
    ),
    "litres were asked for, and the money of the week binds": (
        request(wanted_ml=20_000),
        facts(card_row(caps=(cap("vehicle_week_amount", 10_000),)), used=(9_000,)),
        "vehicle_week",
        Reason.LIMIT_WEEK,
    ),
    "the account's month": (
        request(),
        facts(card_row(caps=(cap("account_month_volume", 10),)), used=(1,)),
        "account_month",
        Reason.LIMIT_MONTH,
    ),
    "the ladder": (request(), facts(card_row(fill_ml=60_000), **AWAY), "offline_fill", Reason.LIMIT_OFFLINE),
    "money set apart": (request(), facts(PREPAID, available_minor=9), "allotment", Reason.INSUFFICIENT_FUNDS),
    "money granted": (request(granted=Granted(9)), facts(PREPAID), "funds", Reason.INSUFFICIENT_FUNDS),
}


@pytest.mark.parametrize(("asked", "known", "name", "reason"), PARTIAL.values(), ids=PARTIAL)
def test_a_partial_approval_names_the_limit(asked: Request, known: Facts, name: str, reason: Reason | None) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Approved)
    assert (decision.held_by, decision.reason, decision.partial) == (name, reason, reason is not None)


WRONG_AT_EACH = (
    ("proof of the token", Reason.CARD_NOT_PROVEN),
    ("card list", Reason.LIST_MISSING),
    ("stop list", Reason.CARD_BLOCKED),
    ("validity", Reason.EXPIRED),
    ("product set", Reason.PRODUCT_NOT_ALLOWED),
    ("stations", Reason.STATION_NOT_ALLOWED),
    ("days and hours", Reason.TIME_NOT_ALLOWED),
    ("grade", Need.GRADE),
    ("PIN", Reason.PIN_LOCKED),
    ("odometer", Reason.ODOMETER_IMPLAUSIBLE),
    ("driver", Reason.DRIVER_UNKNOWN),
    ("pairing of card and plate", Reason.PLATE_MISMATCH),
    ("limits", Reason.LIMIT_MONTH),
    ("funds", Reason.INSUFFICIENT_FUNDS),
    ("set apart for offline use", Reason.NEEDS_HEADQUARTERS),
    ("age of the last contact", Reason.LIMIT_OFFLINE),
)
"""What each check says when something is wrong there; see `with_wrong`."""


def with_wrong(wrong: set[str]) -> Decision:
    """The decision where all of these are wrong, and everything else is right."""
    row = card_row(
        status=Status.STOPPED if "stop list" in wrong else Status.ACTIVE,
        valid_until_ms=NOW_MS if "validity" in wrong else 0,
        products="kerosene" if "product set" in wrong else "",
        stations="TR-9" if "stations" in wrong else "TR-1",
        hours=(Hours(0b1000000, 0, 60),) if "days and hours" in wrong else (),
        pin=PIN,
        ask_odometer=True,
        drivers=(b"driver-1",),
        plate_key=b"plat-key",
        funds=Funds.PREPAID,
        fill_ml=100 if "age of the last contact" not in wrong else 1,
        caps=(cap("month_fills", 1),) if "limits" in wrong else (),
    )
    silent = "set apart for offline use" in wrong and "funds" not in wrong
    asked = Request(
        COPY if "proof of the token" in wrong else CARD,
        "" if "grade" in wrong else "diesel",
        None if "grade" in wrong else PRICE,
        LIRA,
        grades=("diesel", "gasoline"),
        pin=PinAnswer.RIGHT,
        odometer_km=1 if "odometer" in wrong else 9,
        driver_key=b"stranger" if "driver" in wrong else b"driver-1",
        plate_key=b"other" if "pairing of card and plate" in wrong else b"plat-key",
        granted=Granted(0) if "funds" in wrong else SILENT if silent else Granted(100_000),
    )
    missing = "card list" in wrong
    known = Facts(
        LookUp(ListState.MISSING) if missing else LookUp(ListState.READY, 1, row),
        last_odometer_km=5,
        station="TR-1",
        week_minute=MONDAY_NOON,
        used=(1,),
        pin_wrong=3 if "PIN" in wrong else 0,
        contact_age_ms=13 * MS_PER_HOUR,
        ladder=Ladder(),
    )
    return decide(asked, known, NOW_MS)


def test_the_checks_stand_in_this_order() -> None:
    assert [name for name, _ in WRONG_AT_EACH] == [check.name for check in CHECKS]
    assert isinstance(with_wrong(set()), Approved)


@pytest.mark.parametrize(
    ("first", "second"),
    [(first, second) for first in range(len(WRONG_AT_EACH)) for second in range(first, len(WRONG_AT_EACH))],
    ids=lambda index: WRONG_AT_EACH[index][0].replace(" ", "_"),
)
def test_of_two_that_are_wrong_the_first_speaks(first: int, second: int) -> None:
    decision = with_wrong({WRONG_AT_EACH[first][0], WRONG_AT_EACH[second][0]})
    assert not isinstance(decision, Approved)
    said = decision.reason if isinstance(decision, Refusal) else decision.need
    assert said is WRONG_AT_EACH[first][1]


def test_every_reason_of_a_decision_has_a_case() -> None:
    known = {Reason[name] for name in re.findall(r"Reason\.([A-Z_]+)", inspect.getsource(decide_module))}
    assert {reason for _, _, reason in REFUSALS.values()} == known
    assert Reason.TANK_CAPACITY in {reason for *_, reason in PARTIAL.values()}


GRADES_WANTED = {
    "the only one that the card may buy": (unnamed("gasoline", "diesel", "kerosene"), facts(), "diesel"),
    "it may buy two of them": (unnamed("gasoline", "diesel", "autogas"), facts(), None),
    "it may buy any": (unnamed("gasoline", "diesel"), facts(card_row(products="")), None),
    "two nozzles have it": (unnamed("diesel", "gasoline", "diesel"), facts(), None),
    "it was answered": (Request(CARD, "autogas", PRICE, LIRA, grades=("diesel", "autogas")), facts(), "autogas"),
    "before anything else is asked": (unnamed("diesel", "autogas"), facts(card_row(ask_odometer=True)), None),
}


@pytest.mark.parametrize(("asked", "known", "grade"), GRADES_WANTED.values(), ids=GRADES_WANTED)
def test_the_grade_is_what_was_answered_or_the_only_one_possible(
    asked: Request, known: Facts, grade: str | None
) -> None:
    decision = decide(asked, known, NOW_MS)
    assert decision.evidence.grades == asked.grades
    if grade is None:
        assert isinstance(decision, Needs)
        assert (decision.need, decision.evidence.grade) == (Need.GRADE, "")
    else:
        assert isinstance(decision, Approved)
        assert decision.evidence.grade == grade


@given(requests, all_facts)
def test_there_is_an_answer_to_everything(asked: Request, known: Facts) -> None:
    decision = decide(asked, known, NOW_MS)
    assert decision == decide(asked, known, NOW_MS), "the same question has the same answer"
    if not isinstance(decision, Approved):
        return
    limits, row = decision.limits, known.found.row
    assert row is not None
    assert row.status is Status.ACTIVE
    assert limits.volume_ml is None or limits.volume_ml > 0
    assert limits.amount_minor is None or limits.amount_minor > 0
    if row.day_ml:
        assert limits.volume_ml is not None
        assert limits.volume_ml + known.used_day_ml <= row.day_ml
    if row.day_minor:
        assert limits.amount_minor is not None
        assert limits.amount_minor + known.used_day_minor <= row.day_minor
    for index, own in enumerate(row.caps):
        used = known.used[index] if index < len(known.used) else 0
        taken = {Measure.VOLUME: limits.volume_ml, Measure.AMOUNT: limits.amount_minor, Measure.FILLS: 1}[own.measure]
        assert taken is not None
        assert taken + used <= own.most
    if row.funds is Funds.PREPAID:
        assert limits.amount_minor is not None
        bound = asked.granted.amount_minor if asked.granted is not None else None
        assert limits.amount_minor <= (known.available_minor if bound is None else bound)  # type: ignore[operator]


@given(requests, all_facts)
def test_a_needed_answer_is_asked_for_once(asked: Request, known: Facts) -> None:
    answered, before = asked, set()
    while isinstance(decision := decide(answered, known, NOW_MS), Needs):
        assert decision.need not in before
        before.add(decision.need)
        answered = with_answer(answered, decision.need)


@given(requests, all_facts)
def test_a_decision_can_be_made_again_from_its_evidence(asked: Request, known: Facts) -> None:
    decision = decide(asked, known, NOW_MS)
    evidence = msgspec.msgpack.decode(msgspec.msgpack.encode(decision.evidence), type=Evidence)
    assert decide(*again(asked.token, evidence)) == decision


def smaller(row: ListRow, name: str) -> ListRow:
    """The row with one of its limits halved; of a limit that is none, a small one."""
    if name == "caps":
        halved = tuple(msgspec.structs.replace(own, most=own.most // 2) for own in row.caps)
        return msgspec.structs.replace(row, caps=halved)
    return msgspec.structs.replace(row, **{name: max(getattr(row, name) // 2, 1)})


@pytest.mark.parametrize("name", ["fill_ml", "fill_minor", "day_ml", "day_minor", "tank_ml", "caps"])
@given(asked=requests, known=all_facts)
def test_a_smaller_limit_never_gives_more(name: str, asked: Request, known: Facts) -> None:
    row = known.found.row
    if row is None:
        return
    fewer = replace(known, found=msgspec.structs.replace(known.found, row=smaller(row, name)))
    assert_no_more(decide(asked, fewer, NOW_MS), decide(asked, known, NOW_MS))


@given(asked=requests, known=all_facts)
def test_what_was_used_and_how_long_headquarters_is_away_never_give_more(asked: Request, known: Facts) -> None:
    whole = decide(asked, known, NOW_MS)
    more = replace(known, used=tuple(used + 7 for used in known.used), used_day_ml=known.used_day_ml + 7)
    assert_no_more(decide(asked, more, NOW_MS), whole)
    if known.available_minor is not None:
        assert_no_more(decide(asked, replace(known, available_minor=known.available_minor - 3), NOW_MS), whole)
    for age_ms in (0, 13 * MS_PER_HOUR, 10**12):
        if known.contact_age_ms is None or known.contact_age_ms <= age_ms:
            assert_no_more(decide(asked, replace(known, contact_age_ms=age_ms), NOW_MS), whole)


def assert_no_more(less: Decision, whole: Decision) -> None:
    if not isinstance(less, Approved):
        return
    assert isinstance(whole, Approved), "what is refused is not approved by a smaller limit"
    for few, many in (
        (less.limits.volume_ml, whole.limits.volume_ml),
        (less.limits.amount_minor, whole.limits.amount_minor),
    ):
        assert many is None or (few is not None and few <= many)


def test_a_row_of_before_there_were_other_limits_is_still_read() -> None:
    old = msgspec.msgpack.encode([b"card-key", "card", "active", "ACME", "diesel", 0, 0, b"", False, 60_000])
    row = msgspec.msgpack.decode(old, type=ListRow)
    assert (row.fill_ml, row.caps, row.funds, row.allows_time(0)) == (60_000, (), Funds.POSTPAID, True)
    assert CARD_ROW.allows_station("anywhere")
