"""A plate that is told beside a card at a station: headquarters hears of it too, and both say the same of the sale."""

import csv
import io

from controller.domain.desk import Need
from controller.domain.funds import Funds
from controller.domain.programmes.plates import plate_standing
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import GENESIS, Authorised, Delivery, Evidence, Limits, TenderKind
from controller.domain.tokens import TokenKind
from sim.site import STATION_ID
from sync.hq.programmes.asks import ListAnswer, ListAsk
from sync.wire import Batch, pack_batch
from tests.hq_programmes.bench import NOW_MS, Office, ms, sale_event, token
from tests.hq_programmes.test_five import K1, agree, enrolled, event
from tests.station.members import MemberHouse, member_story
from tests.sync.peers import KEY, PUBLIC, STATION

BEFORE = "2025-12-20T10:00:00+03:00"
CARD = "9001000000000101"
"""The simulated world has this one in plastic too."""


def _list(office: Office, now_ms: int, **more: str) -> str:
    """The list that headquarters gives out, with a column more for the card."""
    answer = office.desk.answer(ListAsk("positive-card"), now_ms)
    assert isinstance(answer, ListAnswer)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*answer.columns, *more])
    for row in answer.rows:
        writer.writerow([*row, *(more.values() if row[0] else [""] * len(more))])
    return text.getvalue()


@member_story()
async def test_a_purchase_at_a_station_binds_a_plate_here_and_the_next_one_knows_it(house: MemberHouse) -> None:
    office = Office("positive-card", secret=house.list_secret)
    office.store.enrol(STATION_ID, PUBLIC, 0)
    office.enter(
        [
            *enrolled(BEFORE, card=CARD),
            event(BEFORE, "member.verify", "v1", member="M1", plate="34 ABC 12"),
            event(BEFORE, "member.verify", "v2", member="M1", plate="34 ABC 13"),
        ]
    )
    sent = 0

    async def settle() -> None:
        """What the station wrote goes to headquarters, and the list comes back."""
        nonlocal sent
        rows = tuple(house.journal.rows_after(sent, 500))
        before = house.journal.row_at(sent)
        previous = GENESIS if before is None else before.hash
        office.ingest.receive(pack_batch(Batch(STATION_ID, sent, previous, rows), KEY), NOW_MS)
        sent += len(rows)
        office.post(house.clock.now().wall_ms)
        given = sum(quote.points for quote in house.quotes)
        assert office.balances("M1", house.clock.now().wall_ms)["points:M1:fuel"] == given

    def bound() -> list[str]:
        history = office.desk.ledger("positive-card")
        with office.store.commit() as db:
            account = history.at(db, "holder:M1")
            assert account is not None
            books = account.engine.books
            holder = books.holder_of["M1"]
            plates = ("34ABC12", "34ABC13", "35NEW1")
            return [plate for plate in plates if plate_standing(books, holder, plate, CARD) == "bound"]

    house.write_list(_list(office, house.clock.now().wall_ms))
    await house.kill()
    await house.start()
    # Beside the card at the till; of somebody whom nobody verified; at the pump, where the card asks for it.
    for plate, points, reason, after in (
        ("34 abc 12", 44, "", ["34ABC12"]),
        ("35 NEW 1", 0, "not_verified", ["34ABC12"]),
        ("34-ABC-12", 44, "", ["34ABC12"]),
    ):
        sale = await house.cash_delivery(1, 1_000)
        assert (await house.shows(sale, card=CARD, plate=plate)).done
        assert (await house.pay(sale, 4_412)).done
        assert (house.quotes[-1].points, house.quotes[-1].reason) == (points, reason), plate
        await settle()
        assert bound() == after, plate
    house.write_list(_list(office, house.clock.now().wall_ms, only_plate="34 ABC 13"), 2)
    await house.kill()
    await house.start()
    await house.calls(1)
    house.show_card(1, CARD)
    await house.until(lambda: house.point(1).need is Need.PLATE, 20)
    assert (await house.answer(1, Need.PLATE, "34 ABC 13")).done
    await house.shows_nothing(1)
    await house.fills(1, 1_000)
    await house.until(lambda: len(house.point(1).unpaid) == 1)
    assert (await house.pay(house.point(1).unpaid[0].delivery_id, 4_412)).done
    assert house.quotes[-1].bound_plate == house.key(TokenKind.PLATE, "34 ABC 13")
    await settle()
    assert bound() == ["34ABC12", "34ABC13"]


def test_a_plate_that_was_told_at_the_pump_is_read_from_the_authorisation() -> None:
    office = Office("positive-card")
    start, at = "2027-05-05T09:00:00+03:00", "2027-05-05T10:00:00+03:00"
    entered = [*enrolled(start), event(start, "member.verify", "v1", member="M1", plate="34 ABC 12")]
    office.enter(entered)
    told = [("34 ABC 12", "34ABC12"), ("35 NEW 1", token("35 NEW 1", TokenKind.PLATE).key.hex().upper())]
    events = list(entered)
    for plate, posted in told:
        station = office.station
        station.at_ms = ms(at)
        price, card = UnitPrice(4379, 2), token(K1)
        evidence = Evidence(plate_key=token(plate, TokenKind.PLATE).key)
        common = (1, 1, "diesel", Unit.LITRE, price)
        allowed = station.write(Authorised(*common, card, "", Funds.NONE, Limits(), None, None, None, evidence, "", ""))
        sold = station.write(Delivery(*common, 20_000, 100_000, 0, 0, allowed, card, "", Funds.NONE, False))
        station.settle_by(sold, [(TenderKind.CASH, 100_000)])
        office.sync()
        office.post()
        events.append(sale_event(f"{STATION}/{sold.text}", at, 100_000, card=K1, plate=posted))
        at = "2027-05-05T11:00:00+03:00"
    found = agree(office, events)
    assert found["points:fuel", "available:M1:fuel"] == 1_000, "the second plate is nobody's: nothing is earned"
