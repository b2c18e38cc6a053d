"""decide(): its checks have an order, and the first that finds something speaks."""

import pytest

from controller.domain.decide import CHECKS, Approved, Decision, Facts, Needs, Refusal, Request, decide
from controller.domain.desk import Need
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.ladder import MS_PER_HOUR, Ladder
from controller.domain.lists import Hours, ListState, LookUp, Status
from controller.domain.pins import PinAnswer
from controller.domain.reasons import Reason
from tests.domain.cases import (
    CARD,
    COPY,
    LIRA,
    MONDAY_NOON,
    NOW_MS,
    PIN,
    PRICE,
    SILENT,
    cap,
    card_row,
    facts,
    unnamed,
    with_answer,
)


def test_everything_is_asked_for_in_the_order_of_the_checks() -> None:
    row = card_row(pin=PIN, ask_odometer=True, drivers=(b"driver-1",), plate_key=b"plat-key", funds=Funds.PREPAID)
    asked, order = unnamed("diesel", "autogas"), []
    while isinstance(decision := decide(asked, facts(row), NOW_MS), Needs):
        order.append(decision.need)
        asked = with_answer(asked, decision.need)
    assert order == [Need.GRADE, Need.PIN, Need.ODOMETER, Need.CODE, Need.PLATE, Need.HEADQUARTERS]
    assert isinstance(decision, Approved)


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
