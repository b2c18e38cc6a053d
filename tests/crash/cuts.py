"""Power cuts under the production journal: rows are appended, the power fails at a random moment, the production code
opens what the disk kept, and every acknowledged row must be there, once, in a whole chain.

A life is one start of the controller: open, read everything, append, die. A disk lives several lives, then a new one
is taken. Everything follows from the seed.

A commit that nobody was told of may be there or not, whole. It may even be missing in one life and there in the next:
where the disk had torn it, and the next commit at the same place was torn too, the two pieces can make the first one
whole. Only until something is acknowledged behind it: that was synced over it. A controller does nothing before its
first row is acknowledged, so nobody has acted on the books without it.
"""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import apsw

from controller.domain.records import Body, Record, RowName, Stopped
from controller.domain.seams import Randomness
from controller.store.journal import Journal, JournalDamaged, JournalError
from tests.crash.disk import Cut, Disk, PowerVFS, meant
from tests.domain.rows import STAMP, authorised, delivery
from tests.store.kept import CAR, CARD

FILE = "journal.db"
LIVES_A_DISK = 10
"""More make the files longer and the reading slower, and find nothing else."""
APPENDS_A_LIFE = 5
CUT_WITHIN = 60
"""Operations of the disk after the start of a life: beyond them the power fails when all is written."""
CHECKPOINT_PAGES = (2, 12)
"""SQLite writes its log back after so many pages (1,000 in production), so that this is cut too."""
FAILURES_KEPT = 20


class SeededRandomness:
    """Chance from a stream of Python's own generator: quick, and for tests only."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def random_bytes(self, count: int) -> bytes:
        return self._chance.randbytes(count)

    def below(self, limit: int) -> int:
        return self._chance.randrange(limit)


@dataclass
class Outcome:
    """What a run of cuts found."""

    seed: int
    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    """Acknowledged rows that were not there afterwards."""
    doubled: int = 0
    """Rows that stand there twice."""
    corrupt: int = 0
    """Journals that could not be read, or whose chain was broken."""
    strange: int = 0
    """Rows that nobody wrote, half commits, and rows in the wrong place."""
    kept_unacknowledged: int = 0
    """Commits that were cut and are there all the same: allowed, and whole."""
    failures: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.corrupt or self.strange)

    def add(self, other: "Outcome") -> None:
        for name in ("cuts", "acknowledged", "lost", "doubled", "corrupt", "strange", "kept_unacknowledged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures = (self.failures + other.failures)[:FAILURES_KEPT]

    def failed(self, text: str) -> None:
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(f"seed {self.seed}, cut {self.cuts}: {text}")


OpenJournal = Callable[[str, Randomness], Journal]
"""By VFS and randomness."""


def open_production(vfs: str, randomness: Randomness) -> Journal:
    """As the daemon opens it."""
    return Journal(FILE, randomness=randomness, vfs=vfs)


class Run:
    """One seed's lives, one after the other."""

    def __init__(self, seed: int, open_journal: OpenJournal = open_production) -> None:
        self._chance = random.Random(seed)
        self._randomness = SeededRandomness(self._chance)
        self._vfs_name = f"power-{seed}"
        self._vfs = PowerVFS(self._vfs_name, self._chance)
        self._open_journal = open_journal
        self.outcome = Outcome(seed)
        self._number = 0

    def cuts(self, count: int) -> Outcome:
        with meant():
            while self.outcome.cuts < count:
                self._a_disk(min(LIVES_A_DISK, count - self.outcome.cuts))
        self._vfs.unregister()
        return self.outcome

    def _a_disk(self, lives: int) -> None:
        self._vfs.disk = Disk(self._chance)
        sure: list[Body] = []
        perhaps: list[list[Body]] = []
        for _ in range(lives):
            disk = self._vfs.disk
            disk.cut_at = disk.operations + self._chance.randint(1, CUT_WITHIN)
            found = self._a_life(sure, perhaps)
            if found is None:
                return
            sure, perhaps = found
            self.outcome.cuts += 1
            disk.dead = True
            disk.cut(self._chance.choice(list(Cut)))
        # The last cut is looked at too.
        self._a_life(sure, perhaps, appends=0)

    def _a_life(
        self, sure: list[Body], perhaps: list[list[Body]], appends: int = APPENDS_A_LIFE
    ) -> tuple[list[Body], list[list[Body]]] | None:
        """What is sure on disk at its end, and which commits perhaps are; None if the disk is of no more use."""
        try:
            journal = self._open_journal(self._vfs_name, self._randomness)
        except JournalDamaged as error:
            if self._vfs.disk.dead:
                return sure, perhaps
            self.outcome.corrupt += 1
            self.outcome.failed(str(error))
            return None
        except (JournalError, apsw.Error):
            if self._vfs.disk.dead:
                return sure, perhaps
            raise
        try:
            try:
                found = list(journal.replay())
            except JournalDamaged as error:
                if self._vfs.disk.dead:
                    return sure, perhaps
                self.outcome.corrupt += 1
                self.outcome.failed(str(error))
                return None
            if not self._check(sure, perhaps, found):
                return None
            return self._append(journal, found, perhaps if found == sure else [], appends)
        finally:
            self._vfs.disk.dead = True  # what a close would still write never comes to the disk
            with contextlib.suppress(apsw.Error):
                journal.close()

    def _append(
        self, journal: Journal, sure: list[Body], perhaps: list[list[Body]], appends: int
    ) -> tuple[list[Body], list[list[Body]]]:
        chance = self._chance
        epoch = chance.randbytes(8)
        journal.begin_epoch(epoch)
        journal._db.wal_autocheckpoint(chance.randint(*CHECKPOINT_PAGES))
        for _ in range(chance.randint(0, appends)):
            records = [self._record() for _ in range(chance.randint(1, 3))]
            seq = journal.head_seq
            try:
                sure = [*sure, *journal.append(records, STAMP)]
                self.outcome.acknowledged += len(records)
            except JournalError:
                cut = [Body(RowName(epoch, seq), STAMP, record) for seq, record in enumerate(records, seq + 1)]
                return sure, [*perhaps, cut]
            perhaps = []
            if chance.random() < 0.3:
                journal.set_cursor(journal.head_seq)
        return sure, perhaps

    def _record(self) -> Record:
        self._number += 1
        match self._chance.randrange(4):
            case 0:
                return authorised(token=self._chance.choice([CARD, CAR, None]), command_id=f"{self._number}")
            case 1:
                return delivery(self._number, token=self._chance.choice([CARD, CAR, None]))
            case _:
                return Stopped(f"{self._number} " + "x" * self._chance.choice([0, 0, 10, 10, 900, 5_000]))

    def _check(self, sure: list[Body], perhaps: list[list[Body]], found: list[Body]) -> bool:
        outcome = self.outcome
        there = {body.name for body in found}
        lost = [body.name.text for body in sure if body.name not in there]
        doubled = 2 * len(found) - len(there) - len({body.record for body in found})
        outcome.lost += len(lost)
        outcome.doubled += doubled
        if lost:
            outcome.failed(f"{len(lost)} of {len(sure)} acknowledged rows lost, from {lost[0]} on")
            return False
        if doubled:
            outcome.failed(f"{doubled} rows twice")
            return False
        if any(found == [*sure, *cut] for cut in perhaps):
            outcome.kept_unacknowledged += 1
        elif found != sure:
            outcome.strange += 1
            outcome.failed("rows that were not written so")
            return False
        return True
