"""The uplink core: when it sends, how it waits, and that any network at all ends in the same rows at both ends."""

import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from controller.domain.seams import US_PER_MS, US_PER_S
from sync.hq.hold import StoreFull
from sync.station import GATHER_US, RETRY_LAST_US, ROWS_MIN, LookUp, SendAfter, Uplink, Wait
from sync.wire import MAX_ROWS, Acknowledgement, Expects, Position, WireError
from tests.sync.peers import STATION, Chance, Headquarters, Journal

POST_US = 30 * US_PER_S


def _uplink(cursor: int, head: int) -> Uplink:
    return Uplink(STATION, cursor=cursor, head_seq=head, randomness=Chance(1), now_us=0)


def _acknowledge(uplink: Uplink, seq: int, now_us: int) -> None:
    position = Position(b"e" * 8, seq, b"h" * 32)
    uplink.acknowledged(Acknowledgement(STATION, position, (), Expects.NEXT), now_us)
    wish = uplink.next(now_us)
    if isinstance(wish, LookUp):
        uplink.looked_up(wish.seq, b"h" * 32, now_us)


def test_new_rows_gather_for_a_moment_and_more_rows_do_not_put_it_off() -> None:
    uplink = _uplink(5, 5)
    assert uplink.next(0) == SendAfter(5, 0)
    _acknowledge(uplink, 5, 0)
    assert isinstance(uplink.next(1), Wait)
    uplink.head_moved(6, 1_000)
    assert uplink.next(1_000) == Wait(1_000 + GATHER_US)
    uplink.head_moved(8, 100_000)
    assert uplink.next(100_000) == Wait(1_000 + GATHER_US)
    assert uplink.next(1_000 + GATHER_US) == SendAfter(5, 3)


def test_many_rows_do_not_wait_and_batches_grow_while_they_get_through() -> None:
    uplink, sizes = _uplink(0, 5_000), []
    while uplink.waiting_rows:
        wish = uplink.next(0)
        assert isinstance(wish, SendAfter)
        sizes.append(wish.limit)
        _acknowledge(uplink, wish.seq + wish.limit, 0)
    assert sizes[:5] == [ROWS_MIN, 100, 200, 400, MAX_ROWS]


def test_failures_wait_longer_and_longer_and_never_more_than_the_most() -> None:
    uplink, now_us, waits = _uplink(0, 1), 0, []
    for _ in range(20):
        assert isinstance(uplink.next(now_us), SendAfter)
        uplink.failed("no network", now_us)
        wish = uplink.next(now_us)
        assert isinstance(wish, Wait)
        assert wish.until_us is not None
        waits.append(wish.until_us - now_us)
        uplink.head_moved(2, now_us)
        assert uplink.next(now_us) == wish
        now_us = wish.until_us
    assert waits[0] <= 1 * US_PER_S
    assert RETRY_LAST_US // 2 <= waits[-1] <= RETRY_LAST_US
    assert (uplink.connected, uplink.trouble, uplink.down_since_us) == (False, "no network", 0)
    uplink.next(now_us)
    _acknowledge(uplink, 2, now_us)
    assert (uplink.connected, uplink.trouble, uplink.waiting_rows) == (True, "", 0)


def test_an_answer_for_another_station_is_a_failure() -> None:
    uplink = _uplink(0, 1)
    uplink.next(0)
    uplink.acknowledged(Acknowledgement("st-9", None, (), Expects.NEXT), 0)
    assert "st-9" in uplink.trouble


def test_two_ends_that_never_agree_do_not_spin() -> None:
    uplink, now_us, sent = _uplink(3, 3), 0, 0
    while now_us < 60 * US_PER_S:
        match uplink.next(now_us):
            case SendAfter():
                sent += 1
                uplink.acknowledged(Acknowledgement(STATION, None, (), Expects.ANCESTOR), now_us)
            case Wait(until_us):
                assert until_us is not None
                now_us = until_us
    assert sent < 12


class Network:
    """One station and headquarters over a network that loses, doubles, delays and reorders. Virtual time, one seed."""

    def __init__(self, seed: int, loss: float) -> None:
        self.random = random.Random(seed)
        self.chance = Chance(seed)
        self.loss = loss
        self.now_us = 0
        self.hq = Headquarters()
        self.journal = Journal()
        self.journal.start(self.chance)
        self.boot()
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._sending = 0
        self.refused: list[str] = []

    def boot(self) -> None:
        """The controller starts with what its disk holds."""
        self.uplink = Uplink(
            STATION,
            cursor=self.journal.cursor,
            head_seq=self.journal.head_seq,
            randomness=self.chance,
            now_us=self.now_us,
            heartbeat_us=None,
        )

    def at(self, delay_us: int, callback: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now_us + delay_us, self._count, callback))

    def carry(self, deliver: Callable[[], None]) -> None:
        """Bring it 0, 1 or 2 times, each after a delay of its own: some come after the next ones."""
        for _ in range(2 if self.random.random() < 0.2 else 1):
            if self.random.random() >= self.loss:
                slow = self.random.random() < 0.1
                self.at(self.random.randrange(200 * US_PER_S if slow else 2 * US_PER_S), deliver)

    def pump(self) -> int | None:
        """Let the uplink do what it wishes; the moment it waits for."""
        while True:
            match self.uplink.next(self.now_us):
                case SendAfter(seq, limit):
                    self.send(seq, limit)
                case LookUp(seq):
                    row = self.journal.rows[seq - 1] if seq <= self.journal.head_seq else None
                    self.uplink.looked_up(seq, row.hash if row else None, self.now_us)
                    self.journal.cursor = self.uplink.cursor
                case Wait(until_us):
                    return until_us

    def send(self, seq: int, limit: int) -> None:
        self._sending += 1
        number, uplink = self._sending, self.uplink
        data = self.journal.batch(seq, limit)

        def arrive() -> None:
            try:
                answer = self.hq.take(data)
            except (WireError, StoreFull) as error:
                self.refused.append(str(error))
                return
            self.carry(lambda: self.uplink.acknowledged(answer, self.now_us))

        def give_up() -> None:
            if number == self._sending and self.uplink is uplink:
                uplink.failed("no answer", self.now_us)

        self.carry(arrive)
        self.at(POST_US, give_up)

    def step(self) -> None:
        due_us = self.pump()
        if self._events and (due_us is None or self._events[0][0] <= due_us):
            self.now_us, _, callback = heapq.heappop(self._events)
            callback()
        elif due_us is not None:
            self.now_us = due_us

    def work(self, steps: int) -> None:
        for _ in range(steps):
            if self.random.random() < 0.3:
                self.journal.sell()
                self.uplink.head_moved(self.journal.head_seq, self.now_us)
            self.step()

    def settle_down(self) -> None:
        for _ in range(5_000):
            self.pump()
            if self.uplink.connected and self.uplink.waiting_rows == 0:
                return
            self.step()
        raise AssertionError(f"{self.uplink.waiting_rows} rows still wait after {self.now_us / US_PER_S} s")


@pytest.mark.parametrize("loss", [0.2, 0.6])
@pytest.mark.parametrize("seed", range(12))
def test_any_network_ends_with_the_same_rows_at_both_ends(seed: int, loss: float) -> None:
    net = Network(seed, loss)
    for _ in range(4):
        net.work(60)
        net.journal.start(net.chance)  # a restart: a new epoch on the same chain, the cursor perhaps forgotten
        net.journal.cursor = net.random.choice([net.journal.cursor, 0])
        net.boot()
    net.work(60)
    net.settle_down()
    assert net.hq.hashes() == [row.hash for row in net.journal.rows]
    totals = net.hq.store.totals(STATION)
    assert totals.forks == 0
    assert totals.sales == (net.journal.head_seq - 5) // 2
    assert net.hq.store.recount(STATION) == totals
    assert net.refused == []


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0, max_value=1 << 32), st.sampled_from([0.0, 0.2, 0.6]))
def test_a_disk_from_the_past_makes_branches_and_none_is_lost(seed: int, loss: float) -> None:
    note(f"seed {seed}, loss {loss}")
    net = Network(seed, loss)
    net.work(40)
    disk = net.journal.copy()
    net.work(80)
    before = net.journal
    net.journal = disk
    net.journal.start(net.chance)
    net.boot()
    net.work(80)
    net.settle_down()
    kept = net.hq.hashes()
    assert len(kept) == len(set(kept))
    assert {row.hash for row in net.journal.rows} <= set(kept)
    assert set(kept) <= {row.hash for row in (*before.rows, *net.journal.rows)}
    assert all(row.hash in kept for row in before.rows[: before.cursor]), "an acknowledged row was dropped"
    totals = net.hq.store.totals(STATION)
    assert totals.forks <= 1
    assert net.hq.store.recount(STATION) == totals


@pytest.mark.parametrize("kept", [0, 1, 617])
def test_headquarters_restored_from_a_backup_gets_the_rest_again(kept: int) -> None:
    net = Network(3, 0.2)
    for _ in range(600):
        net.journal.sell()
    net.uplink.head_moved(net.journal.head_seq, 0)
    net.settle_down()
    net.hq = Headquarters()
    for after in range(0, kept, MAX_ROWS):
        net.hq.take(net.journal.batch(after, min(MAX_ROWS, kept - after)))
    net.journal.sell()
    net.uplink.head_moved(net.journal.head_seq, net.now_us)
    sent_before = net._sending
    net.settle_down()
    assert net.hq.hashes() == [row.hash for row in net.journal.rows]
    assert net._sending - sent_before < 30


def test_a_cursor_beyond_a_restored_journal_finds_its_ancestor() -> None:
    net = Network(5, 0.0)
    net.work(100)
    net.settle_down()
    disk = net.journal.copy()
    disk.rows = disk.rows[: disk.head_seq // 2]
    disk.start(net.chance)
    net.journal = disk  # its cursor is still the new one
    net.boot()
    net.settle_down()
    assert disk.head_hash in net.hq.hashes()
    assert net.hq.store.totals(STATION).forks == 1


def test_the_gathering_delay_is_short_enough_to_feel_at_once() -> None:
    assert GATHER_US <= 500 * US_PER_MS
