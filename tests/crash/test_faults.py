"""Every single write, sync, cut and deletion of the journal fails once, or finds the disk full: nothing is lost."""

import contextlib
import random
from collections.abc import Iterator

import apsw
import pytest

from controller.domain.records import Body, Record, RowName, Stopped
from controller.store.journal import Journal, JournalError, JournalUnwritable
from controller.store.sealing import ERASED
from tests.crash.cuts import SeededRandomness, open_production
from tests.crash.disk import Cut, Disk, Op, PowerVFS, Refuse, meant
from tests.domain.rows import STAMP, delivery
from tests.store.kept import CAR, CARD

SEED = 3
CHECKPOINT_PAGES = 6
FULL_FOR = 7
"""Operations that find no room, before there is some again."""


class Yard:
    """A computer with its disk. `vfs` is its name."""

    vfs = "faults"

    def __init__(self) -> None:
        self.chance = random.Random(SEED)
        self._vfs = PowerVFS(self.vfs, self.chance)
        self.new_disk()

    def new_disk(self, refuse: Refuse | None = None) -> None:
        self._vfs.disk = self.disk = Disk(self.chance)
        self.disk.refuse = refuse

    @contextlib.contextmanager
    def journal(self) -> Iterator[Journal]:
        """The production journal; then its process dies, and nothing more of it comes to the disk."""
        journal = open_production(self.vfs, SeededRandomness(self.chance))
        try:
            journal._db.wal_autocheckpoint(CHECKPOINT_PAGES)
            yield journal
        finally:
            self.disk.dead = True
            with contextlib.suppress(apsw.Error):
                journal.close()
            self.disk.dead = False

    def close(self) -> None:
        self._vfs.unregister()


@pytest.fixture
def yard() -> Iterator[Yard]:
    yard = Yard()
    with meant():
        yield yard
    yard.close()


def work(yard: Yard) -> tuple[list[Body], list[Record], int]:
    """A life of a station: what was acknowledged, the last commit if it was refused, and how many were refused."""
    sure: list[Body] = []
    refused: list[Record] = []
    refusals = 0
    with yard.journal() as journal:
        journal.begin_epoch(b"epoch--1")
        for number in range(12):
            records: list[Record] = [delivery(number + 1, token=(CARD, CAR, None)[number % 3]), Stopped("x" * 1_500)]
            try:
                sure += journal.append(records, STAMP)
                refused = []
            except JournalUnwritable:
                refused, refusals = list(records), refusals + 1
            journal.set_cursor(journal.head_seq)
            assert journal.head_seq == len(sure)
        assert list(journal.replay()) == sure
    return sure, refused, refusals


def operations() -> int:
    """How many there are in a life without a fault."""
    yard = Yard()
    try:
        work(yard)
        return yard.disk.operations
    finally:
        yard.close()


OPERATIONS = operations()


def once(at: int) -> Refuse:
    return lambda number, op: apsw.IOError("it fails") if number == at else None


def full(at: int) -> Refuse:
    def refuse(number: int, op: Op) -> apsw.Error | None:
        return apsw.FullError("no room") if op is Op.WRITE and at <= number < at + FULL_FOR else None

    return refuse


def test_a_life_has_many_operations_and_writes_its_log_back() -> None:
    assert OPERATIONS > 150


@pytest.mark.parametrize("fault", [once, full])
def test_whichever_operation_fails_nothing_acknowledged_is_lost(yard: Yard, fault: object) -> None:
    refusals = 0
    for at in range(1, OPERATIONS + 1):
        yard.new_disk(once(at) if fault is once else full(at))
        sure: list[Body] = []
        refused: list[Record] = []
        try:
            sure, refused, count = work(yard)
            refusals += count
        except JournalError:
            assert at < 40, f"operation {at}: only an opening may fail"
        yard.disk.refuse = None
        yard.disk.cut(Cut.LOST if at % 2 else Cut.KEPT)
        with yard.journal() as journal:
            found = list(journal.replay())
            perhaps = [Body(RowName(b"epoch--1", len(sure) + n), STAMP, r) for n, r in enumerate(refused, 1)]
            assert found in (sure, [*sure, *perhaps]), f"operation {at}"
            journal.begin_epoch(b"epoch--2")
            journal.append([Stopped("it goes on")], STAMP)
            assert journal.verify() == len(found) + 1
    assert refusals > OPERATIONS // 3, "the faults hit nothing"


def test_an_erasure_that_is_cut_or_refused_is_done_or_not_and_the_chain_is_whole(yard: Yard) -> None:
    ended = set()
    for at in range(1, 16):
        for failing in (True, False):
            yard.new_disk()
            with yard.journal() as journal:
                journal.begin_epoch(b"epoch--1")
                sure = journal.append([delivery(1, token=CARD), delivery(2, token=CAR)], STAMP)
            begins = yard.disk.operations
            with contextlib.suppress(JournalError), yard.journal() as journal:
                if failing:
                    yard.disk.refuse = once(yard.disk.operations + at)
                else:
                    yard.disk.cut_at = yard.disk.operations + at
                journal.erase(CARD.key)
                ended.add("said")
            assert yard.disk.operations > begins
            yard.disk.refuse = None
            yard.disk.cut(Cut.REORDERED)
            with yard.journal() as journal:
                assert journal.verify() == 2
                first, second = journal.replay()
                assert second == sure[1]
                shown = first.record.token.shown  # type: ignore[union-attr]  # it is a delivery by card
                assert shown in {CARD.shown, ERASED}
                ended.add(shown)
                assert journal.erase(CARD.key) is (shown != ERASED)
    assert ended == {"said", CARD.shown, ERASED}
