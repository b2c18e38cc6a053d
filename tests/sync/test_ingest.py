"""Headquarters takes batches: what it stores, what it answers, what it refuses, what it counts."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain import records
from controller.domain.quantities import UnitPrice
from controller.domain.questions import GrantAsk, Question, QuestionAnswer, VoidAnswer, VoidAsk
from controller.domain.reasons import Reason
from controller.domain.records import GENESIS, Row, RowName, TenderKind, decode_body, seal_row
from sync.hq.hold import StoreBusy, StoreError, StoreFull
from sync.hq.prepaid_tables import accounts, payments
from sync.hq.requests import Requests
from sync.hq.schema import metadata
from sync.hq.store import Store
from sync.wire import (
    BalanceAnswer,
    BalanceAsk,
    Batch,
    ChainBroken,
    Expects,
    Malformed,
    NameReused,
    NotThisJournal,
    RefusedAnswer,
    Reply,
    Request,
    SignatureWrong,
    StationUnknown,
    WireError,
    pack_batch,
    pack_reply,
    pack_request,
    unpack_reply,
)
from tests.sync.peers import KEY, PUBLIC, STATION, WALL_MS, Chance, Headquarters, Journal

CHANCE = Chance(7)


def _journal(sales: int, station: str = STATION) -> Journal:
    journal = Journal(station)
    journal.start(CHANCE)
    for _ in range(sales):
        journal.sell()
    return journal


def test_rows_are_stored_once_however_often_and_overlapping_they_come() -> None:
    hq, journal = Headquarters(), _journal(10)
    for after, limit in ((0, 5), (0, 5), (3, 9), (0, 21), (12, 2), (5, 16)):
        answer = hq.take(journal.batch(after, limit))
        assert answer.expects is Expects.NEXT
        assert answer.known[0].hash == journal.rows[min(after + limit, 21) - 1].hash
    assert hq.hashes() == [row.hash for row in journal.rows]
    totals = hq.store.totals(STATION)
    assert (totals.sales, totals.volume_ml, totals.amount_minor, totals.rows) == (10, 10_000, 43_790, 21)
    assert totals.head == decode_body(journal.rows[-1].body).name.text
    assert (totals.forks, totals.deliveries_unpaid, totals.oddities) == (0, 0, 0)
    assert hq.store.recount(STATION) == totals


def test_a_gap_stores_nothing_and_states_the_position() -> None:
    hq, journal = Headquarters(), _journal(10)
    hq.take(journal.batch(0, 4))
    answer = hq.take(journal.batch(9, 4))
    assert answer.expects is Expects.ANCESTOR
    assert answer.position is not None
    assert answer.position.hash == journal.rows[3].hash
    assert len(hq.hashes()) == 4


def test_an_empty_batch_asks_for_the_position() -> None:
    hq, journal = Headquarters(), _journal(1)
    nothing = hq.take(journal.batch(0, 0))
    assert (nothing.position, nothing.expects) == (None, Expects.NEXT)
    hq.take(journal.batch(0))
    there = hq.take(journal.batch(3, 0))
    assert there.position is not None
    assert (there.position.seq, there.expects) == (3, Expects.NEXT)


def test_a_delivery_is_a_sale_once_it_is_settled() -> None:
    hq, journal = Headquarters(), _journal(0)
    first, second = journal.deliver(), journal.deliver()
    hq.take(journal.batch(0))
    totals = hq.store.totals(STATION)
    assert (totals.sales, totals.volume_ml, totals.deliveries_unpaid) == (0, 0, 2)
    journal.settle(second)
    hq.take(journal.batch(3))
    totals = hq.store.totals(STATION)
    assert (totals.sales, totals.volume_ml, totals.deliveries_unpaid) == (1, 1000, 1)
    journal.settle(first)
    journal.settle(first)
    journal.settle(RowName(b"nowhere!", 2))
    hq.take(journal.batch(4))
    totals = hq.store.totals(STATION)
    assert (totals.sales, totals.deliveries_unpaid, totals.oddities) == (2, 0, 2)
    assert hq.store.recount(STATION) == totals


def test_a_test_measure_closes_a_delivery_and_is_no_sale() -> None:
    hq, journal = Headquarters(), _journal(1)
    measured, in_one_batch = journal.deliver(), journal.deliver()
    journal.write(records.TestMeasure(in_one_batch, "till-1", "c1"))
    hq.take(journal.batch(0))
    totals = hq.store.totals(STATION)
    assert (totals.sales, totals.deliveries_unpaid) == (1, 1)
    journal.write(records.TestMeasure(measured, "till-1", "c2"))
    journal.write(records.PriceChanged("diesel", UnitPrice(1, 0), UnitPrice(2, 0), "till-1", "c3"))
    journal.write(records.MeterChanged(1, 1, 5, 3))
    journal.write(records.TotaliserMismatch(1, 1, 10, 5, 5, 10))
    journal.settle(measured)
    hq.take(journal.batch(6))
    totals = hq.store.totals(STATION)
    assert (totals.sales, totals.volume_ml, totals.deliveries_unpaid, totals.oddities) == (1, 1000, 0, 1)
    assert hq.store.recount(STATION) == totals


def test_a_new_epoch_goes_on_along_the_same_chain() -> None:
    hq, journal = Headquarters(), _journal(3)
    hq.take(journal.batch(0))
    journal.start(CHANCE)
    journal.sell()
    hq.take(journal.batch(7))
    totals = hq.store.totals(STATION)
    assert (totals.rows, totals.sales, totals.forks) == (10, 4, 0)
    assert totals.head.startswith(journal.epoch.hex())


def test_a_restored_disk_makes_a_fork_and_both_branches_are_kept() -> None:
    hq, journal = Headquarters(), _journal(5)
    unpaid = journal.deliver()
    disk = journal.copy()
    journal.settle(unpaid)
    journal.sell()
    hq.take(journal.batch(0))
    disk.start(CHANCE)
    disk.settle(unpaid)  # the till has forgotten that it was paid
    disk.sell()
    hq.take(disk.batch(12))
    totals = hq.store.totals(STATION)
    assert totals.rows == 12 + 3 + 4
    assert totals.sales == 5 + 1 + 1 + 1
    assert (totals.forks, totals.deliveries_unpaid, totals.oddities) == (1, 0, 1)
    assert totals.head == decode_body(disk.rows[-1].body).name.text
    assert hq.store.recount(STATION) == totals
    assert {row.hash for row in (*journal.rows, *disk.rows)} == set(hq.hashes())
    # Both go on growing, as if two machines ran.
    journal.sell()
    hq.take(journal.batch(15))
    disk.sell()
    answer = hq.take(disk.batch(16))
    assert answer.position is not None
    assert answer.position.hash == disk.head_hash
    assert hq.store.totals(STATION).forks == 1


def test_a_station_that_begins_again_from_nothing_makes_a_fork() -> None:
    hq = Headquarters()
    hq.take(_journal(2).batch(0))
    hq.take(_journal(2).batch(0))
    totals = hq.store.totals(STATION)
    assert (totals.rows, totals.sales, totals.forks) == (10, 4, 1)


def test_a_tampered_row_is_refused_and_nothing_of_its_batch_is_stored() -> None:
    hq, journal = Headquarters(), _journal(5)
    row = journal.rows[3]
    journal.rows[3] = Row(row.body.replace(b"diesel", b"petrol"), row.hash)
    with pytest.raises(ChainBroken, match="row 4"):
        hq.take(journal.batch(0))
    rows = list(journal.rows)
    rows[3] = Row(b"\x93" * 9, row.hash)
    with pytest.raises(ChainBroken, match="not a journal row"):
        hq.take(pack_batch(Batch(STATION, 0, GENESIS, tuple(rows)), KEY))
    assert hq.hashes() == []


def test_a_journal_that_was_rewritten_after_it_was_sent_is_refused() -> None:
    hq, journal = Headquarters(), _journal(2)
    hq.take(journal.batch(0))
    rewritten = Journal(rows=journal.rows[:3], epoch=journal.epoch)
    rewritten.sell(1)
    with pytest.raises(NameReused, match="changed"):
        hq.take(rewritten.batch(3))
    assert hq.hashes() == [row.hash for row in journal.rows]


def test_rows_stand_in_their_order() -> None:
    hq, journal = Headquarters(), _journal(2)
    body = msgspec.structs.replace(decode_body(journal.rows[1].body), name=RowName(journal.epoch, 9))
    rows = (journal.rows[0], seal_row(journal.rows[0].hash, body))
    with pytest.raises(ChainBroken, match="where row 2 belongs"):
        hq.take(pack_batch(Batch(STATION, 0, GENESIS, rows), KEY))


def test_who_is_not_enrolled_is_refused() -> None:
    hq = Headquarters()
    with pytest.raises(StationUnknown, match="st-2"):
        hq.take(_journal(1, "st-2").batch(0))
    stranger = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    with pytest.raises(SignatureWrong):
        hq.take(pack_batch(Batch(STATION, 0, GENESIS, tuple(_journal(1).rows)), stranger))


def test_a_journal_of_another_station_or_another_world_is_refused() -> None:
    hq = Headquarters()
    with pytest.raises(NotThisJournal, match="st-2"):
        hq.take(pack_batch(Batch(STATION, 0, GENESIS, tuple(_journal(1, "st-2").rows)), KEY))
    with pytest.raises(NotThisJournal, match="simulated"):
        Headquarters(simulated=False).take(_journal(1).batch(0))


def test_a_number_too_large_for_a_database_is_refused() -> None:
    hq, journal = Headquarters(), _journal(0)
    journal.deliver(1 << 63)
    with pytest.raises(WireError, match="64 bits"):
        hq.take(journal.batch(0))
    assert hq.hashes() == []


def test_a_full_disk_stores_nothing_and_says_so_and_heals() -> None:
    hq, journal = Headquarters(), _journal(200)
    hq.take(journal.batch(0, 1))
    with hq.store._engine.connect() as db:
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
        db.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreFull, match="nothing was stored"):
        hq.take(journal.batch(1))
    totals = hq.store.totals(STATION)
    assert (totals.rows, totals.sales) == (1, 0)
    assert hq.store.recount(STATION) == totals
    with hq.store._engine.connect() as db:
        db.exec_driver_sql("PRAGMA max_page_count=1000000")
    hq.take(journal.batch(1))
    assert hq.store.totals(STATION).sales == 200


def test_an_account_owes_what_its_tenders_paid() -> None:
    hq, journal = Headquarters(), _journal(1)
    journal.sell(500, account="acme")
    journal.sell(700, account="acme")
    unpaid = journal.deliver(900, account="acme")
    hq.take(journal.batch(0))
    hq.take(journal.batch(0))
    assert hq.store.balance_minor("acme") == -1200
    journal.settle(unpaid, 900, TenderKind.ACCOUNT)
    hq.take(journal.batch(0))
    assert hq.store.balance_minor("acme") == -2100
    assert hq.store.balance_minor("nobody") == 0


def test_the_same_command_gets_the_same_outcome() -> None:
    hq, journal = Headquarters(), _journal(0)
    requests = Requests(hq.store)
    ask = pack_request(Request("c1", STATION, BalanceAsk("acme")), KEY)
    first = requests.receive(ask, WALL_MS)
    journal.sell(500, account="acme")
    hq.take(journal.batch(0))
    assert requests.receive(ask, WALL_MS + 1) == first
    again = pack_request(Request("c2", STATION, BalanceAsk("acme")), KEY)
    assert unpack_reply(requests.receive(again, WALL_MS + 2)).outcome == BalanceAnswer("acme", -500, WALL_MS + 2)
    other = unpack_reply(requests.receive(pack_request(Request("c1", STATION, BalanceAsk("x")), KEY), WALL_MS))
    assert isinstance(other.outcome, RefusedAnswer)
    assert other.outcome.reason == "command_reused"


class Minded:
    """Refuses, until it has made up its mind."""

    willing = False

    def answer(self, station: str, command_id: str, question: Question, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        return VoidAnswer(300) if self.willing else RefusedAnswer(Reason.HEADQUARTERS_REFUSED, "not now (test)")


def test_a_void_that_was_refused_is_answered_anew_and_one_that_was_taken_is_said_again() -> None:
    """A station says it again until it is taken: what was wrong at headquarters may be mended meanwhile."""
    hq, minded = Headquarters(), Minded()
    requests = Requests(hq.store, minded)
    void = pack_request(Request("v1", STATION, VoidAsk("redeem/1")), KEY)
    for now_ms in range(2):
        assert isinstance(unpack_reply(requests.receive(void, now_ms)).outcome, RefusedAnswer)
    refused = pack_reply(Reply("v1", RefusedAnswer(Reason.HEADQUARTERS_REFUSED, "not now (test)")))
    hq.store.keep_reply(STATION, "v1", msgspec.msgpack.encode(VoidAsk("redeem/1")), refused, 2)  # as programs did
    minded.willing = True
    taken = requests.receive(void, 3)
    assert unpack_reply(taken).outcome == VoidAnswer(300)
    minded.willing = False
    assert requests.receive(void, 4) == taken


def test_another_refusal_is_said_again_for_ever() -> None:
    """Whoever asked has told a customer so."""
    hq, minded = Headquarters(), Minded()
    requests = Requests(hq.store, minded)
    ask = pack_request(Request("c1", STATION, GrantAsk("acme", 1)), KEY)
    refused = requests.receive(ask, 0)
    minded.willing = True
    assert requests.receive(ask, 1) == refused


def test_enrolling_with_another_key_wants_a_word() -> None:
    hq = Headquarters()
    hq.store.enrol(STATION, PUBLIC, 1)
    with pytest.raises(StoreError, match="--replace"):
        hq.store.enrol(STATION, b"x" * 32, 1)
    hq.store.enrol(STATION, b"x" * 32, 1, replace=True)
    assert hq.store.public_key(STATION) == b"x" * 32


def test_a_database_file_is_opened_once_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "hq.db")
    store.enrol(STATION, PUBLIC, 0)
    store.say_url("http://somewhere")
    with pytest.raises(StoreBusy, match="in use") as raised:
        Store.open(tmp_path / "hq.db")
    assert raised.value.url == "http://somewhere"
    store.close()
    store = Store.open(tmp_path / "hq.db")
    assert store.public_key(STATION) == PUBLIC
    with store._engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


def test_every_table_that_grows_is_led_by_its_station() -> None:
    for table in metadata.tables.values():
        if table.name != "schema_version":
            leads = "account" if table in (accounts, payments) else "station_id"
            assert next(iter(table.primary_key.columns)).name == leads


def test_garbage_is_refused_in_a_sentence() -> None:
    with pytest.raises(Malformed):
        Headquarters().take(b"\x01Bhello")
