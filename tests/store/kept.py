"""What stands in the journals of tests/data: one file for each schema that there ever was, all with these rows.

A file is made once, by the program of its time, and never again. For a new schema:

    .venv/bin/python -m tests.store.kept tests/data/journal-N.db
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from controller.domain.funds import Funds
from controller.domain.lists import ListState
from controller.domain.products import Grade
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.reasons import Reason
from controller.domain.records import (
    Authorised,
    Declined,
    Delivery,
    Evidence,
    Limits,
    MeterChanged,
    PriceChanged,
    PumpAlarm,
    Record,
    Released,
    RowName,
    Settlement,
    Stamp,
    Started,
    Stopped,
    Tender,
    TenderKind,
    TestMeasure,
    TotaliserMismatch,
    TotaliserRead,
    UnrecordedDelivery,
)
from controller.domain.seams import ClockQuality
from controller.domain.tokens import Assurance, TokenRef, card_token, plate_token
from tests.store.rows import open_journal

SECRET = b"the list key of a kept journal.."
CARD_NUMBER, PLATE = "7821000000000012", "34 ABC 123"
CARD = card_token(SECRET, CARD_NUMBER, Assurance.PROVEN)
CAR = plate_token(SECRET, PLATE)
FIRST, SECOND = b"kept-one", b"kept-two"
PRICE = UnitPrice(4379, 2)
WALL_MS = 1_790_000_000_000
CURSOR = 4


def _authorised(point: int, token: TokenRef | None, till: str = "") -> Authorised:
    seen = Evidence(list_version=3, row=b"\x90", odometer_km=120_000, list_state=ListState.READY, grade="diesel")
    return Authorised(
        point,
        2,
        "diesel",
        Unit.LITRE,
        PRICE,
        token,
        "KUZEY" if token else "",
        Funds.POSTPAID if token else Funds.NONE,
        Limits(60_000, None, "fill") if token else Limits(),
        60_000 if token else None,
        None,
        100_000,
        seen if token else Evidence(),
        till,
        f"command-{point}" if till else "",
    )


def _delivery(point: int, volume_ml: int, authorised: RowName | None, token: TokenRef | None) -> Delivery:
    return Delivery(
        point,
        2,
        "diesel",
        Unit.LITRE,
        PRICE,
        volume_ml,
        volume_ml * 4379 // 1000,
        100_000,
        100_000 + volume_ml,
        authorised,
        token,
        "KUZEY" if token else "",
        Funds.POSTPAID if token else Funds.NONE,
        False,
    )


FIRST_ROWS = 12
ROWS: Sequence[Record] = (
    Started("TR-0001", "forecourt 0.1.0", False, None, (Grade("diesel", "Diesel", Unit.LITRE, PRICE),)),
    TotaliserRead(1, 2, 100_000),
    Declined(1, 2, CAR, Reason.CARD_UNKNOWN, Evidence(list_version=3, list_state=ListState.READY)),
    _authorised(1, CARD),
    _delivery(1, 10_000, RowName(FIRST, 4), CARD),
    Settlement(RowName(FIRST, 5), 1, 43_790, (Tender(TenderKind.ACCOUNT, 43_790, 43_790),), "", ""),
    _authorised(2, CAR, "till-1"),
    Released(RowName(FIRST, 7), "hung up before any fuel"),
    _authorised(2, None, "till-1"),
    _delivery(2, 20_000, RowName(FIRST, 9), None),
    TotaliserMismatch(2, 2, 20_000, 100_000, 110_000, 10_000),
    Stopped("ordered"),
    Started("TR-0001", "forecourt 0.1.0", False, RowName(FIRST, 12), ()),
    UnrecordedDelivery(1, 2, 5_000, 110_000, 115_000, WALL_MS, WALL_MS + 60_000),
    MeterChanged(1, 2, 115_000, 0),
    PriceChanged("diesel", UnitPrice(4401, 2), PRICE, "till-2", "price-1"),
    PumpAlarm(2, 17, "printer door open"),
    _delivery(1, 1_000, None, CAR),
    TestMeasure(RowName(SECOND, 18), "till-1", "test-1"),
)


def stamp(seq: int) -> Stamp:
    boot = b"boot-one" if seq <= FIRST_ROWS else b"boot-two"
    return Stamp(WALL_MS + seq * 1_000, boot, seq, ClockQuality.SYNCHRONISED)


def make(path: Path) -> None:
    """Write the rows as the program of today does."""
    journal = open_journal(path, FIRST)
    for seq, record in enumerate(ROWS, 1):
        if seq == FIRST_ROWS + 1:
            journal.begin_epoch(SECOND)
        journal.append([record], stamp(seq))
    journal.set_cursor(CURSOR)
    journal.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
