"""What must be true after a kill -9 of the real station process at each named step of a sale, while pumps run on.

The bench and headquarters are processes that nobody kills. One delivery runs at another pump through all the deaths.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.config import load
from controller.daemon import JOURNAL_FILE
from controller.domain.desk import PointState
from controller.domain.records import Body, Delivery, Settlement, Started, Stopped, TenderKind, kind_of
from controller.station import read_books
from controller.store.journal import Journal
from sim.control import HangUp, Lift, Squeeze
from sim.site import STATION_ID
from sync.hq.store import Store
from tests.crash import doomed
from tests.crash.corner import CARD, NEIGHBOUR, Corner, Day, beside, until

WANT_ML = 1_500
FULL_TANK_ML = 60_000
PLATE = "16 SIM 401"
ACCOUNT, CASH = "account", "cash"
TOLD_OF = {"authorised", "released", "delivery", "settlement", "unrecorded", "meter_changed", "totaliser_mismatch"}
SOLD = ("authorised", "delivery", "settlement")


@dataclass(frozen=True, slots=True)
class After:
    """What must be true: which rows of the sale are on disk at the death, which when all is over, and what is printed.

    `copies`: slips headed COPY. One that was under way when the process died comes again as a copy.
    """

    at_death: tuple[str, ...]
    rows: tuple[str, ...] = SOLD
    originals: int = 1
    copies: int = 0
    ways: tuple[str, ...] = (ACCOUNT, CASH)


STEPS: dict[str, After] = {
    doomed.BEFORE_AUTHORISED: After(()),
    doomed.AUTHORISED: After(("authorised",), ("authorised", "released", *SOLD)),
    doomed.TOLD: After(("authorised",)),
    doomed.FUELLING: After(("authorised",)),
    doomed.COMPLETED: After(("authorised",)),
    doomed.DELIVERED: After(("authorised", "delivery")),
    doomed.CLEARED: After(("authorised", "delivery")),
    doomed.SETTLED: After(SOLD),
    # From here on the way of paying makes no difference any more: they take turns.
    doomed.SPOOLED: After(SOLD, ways=(CASH,)),
    doomed.HALF_PRINTED: After(SOLD, originals=0, copies=1, ways=(ACCOUNT,)),
    doomed.PRINTED: After(SOLD, copies=1, ways=(CASH,)),
    doomed.MARKED: After(SOLD, ways=(ACCOUNT,)),
    doomed.HALF_SENT: After(SOLD, ways=(CASH,)),
    doomed.ANSWERED: After(SOLD, ways=(ACCOUNT,)),
    doomed.CURSOR: After(SOLD, ways=(CASH,)),
    doomed.CHECKPOINT_HALF: After(("authorised",), ways=(ACCOUNT,)),
    doomed.CHECKPOINT_WHOLE: After(("authorised",), ways=(CASH,)),
    doomed.CHECKPOINT_PLACED: After(("authorised",), ways=(ACCOUNT,)),
}
BATCHES = {doomed.HALF_SENT, doomed.ANSWERED, doomed.CURSOR}


def steps(way: str) -> list[str]:
    """Those at which a sale that is paid so is killed."""
    return [step for step, after in STEPS.items() if way in after.ways]


@contextlib.contextmanager
def open_corner(folder: Path) -> Iterator[Corner]:
    """All processes, and somebody at a slow pump."""
    corner = Corner(folder)
    with corner:
        corner.start()
        asyncio.run(_neighbour_begins(corner))
        yield corner


async def _neighbour_begins(corner: Corner) -> None:
    """Somebody with a large tank at a slow pump: he is there until everything else is over."""
    async with Day(corner) as day:
        await day.hands(Lift(NEIGHBOUR, 1))
        await day.hands(Squeeze(NEIGHBOUR, FULL_TANK_ML))
        await day.lets_go(NEIGHBOUR, plate=PLATE)
        await day.fuel_runs(NEIGHBOUR, 0)


def killed_at(corner: Corner, step: str, way: str) -> None:
    """A sale in whose middle the station dies, and what has become of it after a plain start."""
    asyncio.run(_killed(corner, step, way))


async def _killed(corner: Corner, step: str, way: str) -> None:
    after = STEPS[step]
    corner.kill_station()
    known, printed = len(corner.rows()), len(corner.slips)
    async with Day(corner) as day:
        meter_ml = await day.meter_ml()
        day.starts(step)
        people = [day.fills(WANT_ML, card=CARD)] if way == ACCOUNT else [day.fills(WANT_ML), day.takes_cash()]
        async with beside(*people) as done:
            await corner.dies(step)
            assert story(corner.rows()[known:]) == after.at_death
            day.starts()
            await done()
        await until(lambda: bool(day.seen.points), "a plain start")
        await until(lambda: len(corner.slips) >= printed + after.originals + after.copies, "its receipt")
        if step in BATCHES:
            await until(lambda: day.seen.link.connected and not day.seen.link.waiting_rows, "headquarters has it")
        gave_ml = await day.meter_ml() - meter_ml
    rows = corner.rows()[known:]
    assert story(rows) == after.rows
    (delivery,) = (body.record for body in rows if isinstance(body.record, Delivery))
    (settlement,) = (body.record for body in rows if isinstance(body.record, Settlement))
    assert delivery.volume_ml == gave_ml == WANT_ML
    tender = TenderKind.ACCOUNT if way == ACCOUNT else TenderKind.CASH
    assert [(each.kind, each.amount_minor) for each in settlement.tenders] == [(tender, delivery.amount_minor)]
    assert _printed(corner.slips[printed:], settlement.receipt_number) == (after.originals, after.copies)


def story(rows: list[Body]) -> tuple[str, ...]:
    """The kinds of those rows that move fuel or money."""
    return tuple(kind for body in rows if (kind := kind_of(body.record)) in TOLD_OF)


def _printed(slips: list[str], number: int) -> tuple[int, int]:
    """Originals and copies of a receipt."""
    assert all(f"{number:06}" in slip for slip in slips), slips
    copies = sum("COPY" in slip for slip in slips)
    return len(slips) - copies, copies


def assert_all_agree(corner: Corner) -> None:
    """All is over: pumps, paper, journal and headquarters tell the same."""
    meters_ml = asyncio.run(_neighbour_ends(corner))
    slips = corner.slips
    assert corner.end_all() == {"station": 0, "headquarters": 0, "bench": 0}

    config = load(corner.station_folder / "station.toml")
    journal = Journal(config.data / JOURNAL_FILE)
    try:
        books = read_books(journal, config)
        rows = journal.rows_after(0, 100_000)
        bodies = list(journal.replay())
    finally:
        journal.close()
    records = [body.record for body in bodies]
    deliveries = [record for record in records if isinstance(record, Delivery)]
    numbers = [record.receipt_number for record in records if isinstance(record, Settlement)]
    assert sum(record.volume_ml for record in deliveries) == meters_ml
    assert numbers == list(range(1, len(deliveries) + 1))
    assert (books.sums.sales, books.sums.unrecorded_ml) == (len(deliveries), 0)
    assert not books.unpaid
    assert not books.open
    assert all(any(f"{number:06}" in slip for slip in slips) for number in numbers), "each has its receipt"
    assert sum(isinstance(record, Stopped) for record in records) == 1, "all other lives ended in a death"
    assert sum(isinstance(record, Started) for record in records) == corner.lives

    store = Store.open(corner.folder / "hq" / "hq.db")
    try:
        sent = [row for _, row in store.rows_of(STATION_ID)]
        totals = store.totals(STATION_ID)
        assert totals == store.recount(STATION_ID)
    finally:
        store.close()
    assert sent == rows[: len(sent)], "headquarters has each row once"
    assert not story(bodies[len(sent) :]), "the end itself may be on its way still"
    assert (totals.sales, totals.volume_ml, totals.forks) == (len(deliveries), meters_ml, 0)


async def _neighbour_ends(corner: Corner) -> int:
    """He has had enough; then the station starts once more as a person starts it. Returns what all meters count."""
    async with Day(corner) as day:
        await day.hands(HangUp(NEIGHBOUR))
        await until(lambda: [body for body in corner.rows() if _is_of_neighbour(body)] != [], "his delivery")
        meter_ml = await day.meter_ml(NEIGHBOUR)
        (delivery,) = (body.record for body in corner.rows() if _is_of_neighbour(body))
        assert isinstance(delivery, Delivery)
        assert delivery.volume_ml == meter_ml // 10 * 10, "a display shows hundredths"
        corner.kill_station()
        corner.start_station_from_a_shell()
        await until(lambda: bool(day.seen.points) and day.seen.link.connected, "headquarters is heard")
        await until(lambda: not day.seen.link.waiting_rows, "headquarters has everything")
        await until(lambda: all(tile.state is PointState.IDLE for tile in day.seen.points), "all is quiet")
        return await day.all_meters_ml() // 10 * 10  # his display, too, shows hundredths


def _is_of_neighbour(body: Body) -> bool:
    return isinstance(body.record, Delivery) and body.record.point == NEIGHBOUR
