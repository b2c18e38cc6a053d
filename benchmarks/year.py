"""A station's year as a journal, written by the product: sales by card, by plate and in cash, three rows each.

.venv/bin/python -m benchmarks.year journal.db [SALES]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from controller.domain.funds import Funds
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import (
    Authorised,
    Delivery,
    Evidence,
    Limits,
    Record,
    RowName,
    Settlement,
    Stamp,
    Tender,
    TenderKind,
)
from controller.domain.seams import ClockQuality
from controller.domain.tokens import Assurance, TokenRef, card_token, plate_token
from controller.machine import MachineRandomness
from controller.store.journal import Journal

SALES = 730_000
"""2,000 a day."""
POINTS = 16
CARDS, PLATES = 4_000, 1_000
ROWS_A_COMMIT = 900
BEGIN_MS = 1_767_225_600_000
YEAR_MS = 365 * 86_400_000
PRICE = UnitPrice(4379, 2)
_EPOCH, _BOOT, _SECRET = b"one year", b"one boot", b"list key of a benchmark"


def write_year(journal: Journal, sales: int = SALES) -> None:
    """Fill a new journal with so many sales, the time of a year between the first and the last."""
    journal.begin_epoch(_EPOCH)
    step_ms = YEAR_MS // (3 * sales)
    for rows in commits(sales):
        seq = journal.head_seq
        journal.append(rows, Stamp(BEGIN_MS + seq * step_ms, _BOOT, seq * step_ms, ClockQuality.SYNCHRONISED))


def commits(sales: int) -> Iterator[list[Record]]:
    """The rows of so many sales, in commits of many: a station makes one of each."""
    tokens: list[TokenRef | None] = [None] * (CARDS // 4)
    tokens += [card_token(_SECRET, f"{9001000000000000 + n}", Assurance.PROVEN) for n in range(CARDS)]
    tokens += [plate_token(_SECRET, f"34 FC {n:04}") for n in range(PLATES)]
    meters_ml = [0] * (POINTS + 1)
    rows: list[Record] = []
    for number in range(1, sales + 1):
        point = number % POINTS + 1
        volume_ml = 5_000 + number * 7_919 % 55_000
        token = tokens[number * 31 % len(tokens)]
        rows += sale(number, point, token, volume_ml, meters_ml[point])
        meters_ml[point] += volume_ml
        if len(rows) >= ROWS_A_COMMIT:
            yield rows
            rows = []
    if rows:
        yield rows


def sale(number: int, point: int, token: TokenRef | None, volume_ml: int, meter_ml: int) -> list[Record]:
    """The rows of the sale of this number, counted from 1."""
    seq = 3 * number - 2
    account, funds = (f"ACCOUNT-{number % 700}", Funds.POSTPAID) if token else ("", Funds.NONE)
    till, command = ("", "") if token else ("till-1", f"command-{number}")
    amount_minor = volume_ml * PRICE.value // 1_000
    evidence = Evidence(list_version=7, row=bytes(60) if token else b"", odometer_km=number if token else None)
    tender = TenderKind.ACCOUNT if token else TenderKind.CASH
    return [
        Authorised(
            point, 1, "diesel", Unit.LITRE, PRICE, token, account, funds, Limits(60_000, None, "fill"), 60_000, None,
            meter_ml, evidence, till, command,
        ),
        Delivery(
            point, 1, "diesel", Unit.LITRE, PRICE, volume_ml, amount_minor, meter_ml, meter_ml + volume_ml,
            RowName(_EPOCH, seq), token, account, funds, False,
        ),
        Settlement(
            RowName(_EPOCH, seq + 1), number, amount_minor, (Tender(tender, amount_minor, amount_minor),), till, command
        ),
    ]  # fmt: skip


def main() -> None:
    journal = Journal(Path(sys.argv[1]), randomness=MachineRandomness())
    write_year(journal, int(sys.argv[2]) if len(sys.argv) > 2 else SALES)
    print(f"{journal.head_seq:,} rows. Head: {journal.head_hash.hex()}")
    journal.close()


if __name__ == "__main__":
    main()
