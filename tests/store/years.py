"""A station's rows without the station: sales and what else happens, from a seed, as many as are wanted."""

import random
from collections.abc import Sequence

import msgspec

from controller.domain.codes import Scanned
from controller.domain.grant_records import GrantIntended
from controller.domain.programme_records import Presented, Quoted, RedeemIntended
from controller.domain.purse_records import PurseIntended, PurseUnit
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import Reason
from controller.domain.records import (
    Allotted,
    Declined,
    Evidence,
    MeterChanged,
    PriceChanged,
    Record,
    RowName,
    Started,
    Stopped,
    TestMeasure,
    TotaliserMismatch,
    TotaliserRead,
    UnrecordedDelivery,
)
from controller.domain.tokens import Assurance, TokenRef, card_token, plate_token
from controller.store.journal import Journal
from tests.domain.rows import STAMP, authorised, delivery, settlement

EPOCH = b"years--1"
SECRET = b"list key"


def tokens(count: int) -> list[TokenRef]:
    cards = [card_token(SECRET, f"{9001000000000000 + n}", Assurance.PROVEN) for n in range(count)]
    return [*cards, *(plate_token(SECRET, f"34 TR {1_000 + n}") for n in range(count // 4))]


def a_sale(seq: int, point: int, token: TokenRef | None, number: int, volume_ml: int, meter_ml: int) -> list[Record]:
    """Three rows: the first will be named `seq`."""
    command = "" if token else f"c-{number}"
    allowed = authorised(point=point, token=token, command_id=command, odometer_km=number)
    filled = delivery(
        volume_ml, point=point, allowed=RowName(EPOCH, seq), token=token, totaliser_after_ml=meter_ml + volume_ml
    )
    paid = settlement(
        RowName(EPOCH, seq + 1), number=number, amount_minor=filled.amount_minor, command_id=f"p{command}"
    )
    return [allowed, filled, paid]


def mixed(seed: int, sales: int) -> list[Record]:
    """Sales, and everything else that moves the books."""
    chance = random.Random(seed)
    known = tokens(8)
    rows: list[Record] = [Started("TR-0001", "test", True, None)]
    meters = [0] * 5
    for number in range(1, sales + 1):
        point, seq = chance.randrange(1, 5), len(rows) + 1
        volume_ml, token = chance.randrange(1_000, 60_000), chance.choice([None, *known])
        sale = a_sale(seq, point, token, number, volume_ml, meters[point])
        meters[point] += volume_ml
        rows += sale[: chance.choice([1, 2, 3, 3, 3, 3])]
        match chance.randrange(12):
            case 0:
                rows.append(Declined(point, 1, token, Reason.CARD_UNKNOWN, Evidence()))
            case 1:
                rows.append(TotaliserRead(point, 1, meters[point]))
            case 2:
                rows.append(UnrecordedDelivery(point, 1, 5, meters[point], meters[point] + 5))
            case 3:
                rows.append(MeterChanged(point, 1, meters[point], 0))
                meters[point] = 0
            case 4:
                rows.append(TotaliserMismatch(point, 1, 10, 0, 0, 10))
            case 5:
                price = UnitPrice(4_000 + number, 2)
                rows.append(PriceChanged("diesel", price, price, "till-1", f"price-{number}"))
            case 6:
                rows += sale[:2]
                rows.append(TestMeasure(RowName(EPOCH, len(rows)), "till-1", f"test-{number}"))
    untold = delivery(1_000, point=1, totaliser_after_ml=None)
    return [
        *rows,
        TotaliserRead(1, 1, meters[1]),
        untold,
        TotaliserMismatch(2, 1, 10, 0, 0, 10),
        Allotted("allotment-1", "account:ACME", 100_000, "till-1", "allot-1"),
        PurseIntended(1, known[0], 7, PurseUnit.MONEY, 5_000, 9_000, None),
        Presented(RowName(EPOCH, 3), known[1], "till-1", "show-1"),
        Quoted(RowName(EPOCH, 3), "opet-kart", "version-1", "M1", known[1], 1, b"", purse="petrol", points=5),
        RedeemIntended(RowName(EPOCH, 3), "request-1", known[1], 5),
        GrantIntended(1, "ACME", 0),
        msgspec.structs.replace(authorised(point=9), evidence=Evidence(code=Scanned(bytes(8), 0, 1))),
        Stopped("ordered"),
    ]


def write(journal: Journal, rows: Sequence[Record], *, hours_a_row: int = 1) -> None:
    """Each row in a commit of its own, time going on."""
    journal.begin_epoch(EPOCH)
    for row in rows:
        stamp = type(STAMP)(
            STAMP.wall_ms + journal.head_seq * hours_a_row * 3_600_000, STAMP.boot, journal.head_seq, STAMP.quality
        )
        journal.append([row], stamp)
