"""decide(): what it approves, how much of it, and which limit made it less."""

from dataclasses import replace

import msgspec
import pytest

from controller.domain.decide import Approved, Facts, Needs, Request, decide
from controller.domain.desk import Need
from controller.domain.headquarters import Granted
from controller.domain.ladder import MS_PER_HOUR
from controller.domain.lists import ListState, LookUp
from controller.domain.pins import ON_CARD, PinAnswer
from controller.domain.reasons import Reason
from controller.domain.records import Limits
from controller.domain.seams import MS_PER_DAY
from controller.domain.tokens import Assurance
from tests.domain.cases import (
    ASKS_ODOMETER,
    AWAY,
    CARD,
    LIRA,
    LONG_AWAY,
    NOW_MS,
    PLATE,
    PLATE_ROW,
    PREPAID,
    PRICE,
    WANTS_PIN,
    WEEKDAYS,
    cap,
    card_row,
    facts,
    request,
    unnamed,
)

ON_CARD_FOUND = LookUp(ListState.READY, 3, card_row(pin=f"{ON_CARD}{CARD.key.hex()}"), pin_on_card=True)


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
