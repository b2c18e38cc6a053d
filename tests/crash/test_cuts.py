"""Ten thousand power cuts, and the disk that they are made on: it must be able to lose what was not synced."""

import random

import apsw
import pytest

from tests.crash.__main__ import piece, report
from tests.crash.cuts import Run
from tests.crash.disk import Cut, Disk, DiskFile, Op

SEED = 20_261
CUTS = 10_000
PIECES = 5


@pytest.mark.parametrize("seed", range(SEED, SEED + PIECES))
def test_no_acknowledged_row_is_lost_or_doubled_by_a_power_cut_and_the_chain_is_whole(seed: int) -> None:
    found = piece(CUTS // PIECES, seed)
    assert found.clean, report(found, 1, 0)
    assert found.cuts == CUTS // PIECES
    assert found.acknowledged > CUTS // PIECES, "too little was written to lose anything"
    assert found.kept_unacknowledged > 0, "no commit was ever cut in its end"


def test_a_seed_tells_the_same_story_each_time() -> None:
    assert Run(5).cuts(60) == Run(5).cuts(60)
    assert Run(5).cuts(60) != Run(6).cuts(60)


def _file(seed: int = 1) -> tuple[Disk, DiskFile]:
    disk = Disk(random.Random(seed))
    return disk, DiskFile(disk, "f", apsw.SQLITE_OPEN_WAL)


def test_what_is_synced_stays_and_the_rest_is_lost() -> None:
    disk, file = _file()
    file.xWrite(b"a" * 1_000, 0)
    file.xSync(0)
    file.xWrite(b"b" * 1_000, 500)
    assert file.xRead(2, 499) == b"ab"
    disk.cut(Cut.LOST)
    assert disk.bytes_of("f") == b"a" * 1_000


@pytest.mark.parametrize("how", [Cut.PREFIX, Cut.SUBSET, Cut.REORDERED, Cut.TORN])
def test_a_cut_may_keep_any_part_of_what_was_not_synced(how: Cut) -> None:
    seen = set()
    for seed in range(60):
        disk, file = _file(seed)
        file.xSync(0)
        for value in (b"a", b"b", b"c"):
            file.xWrite(value * 1_024, 0)
        disk.cut(how)
        seen.add(disk.bytes_of("f")[::512])
    whole = {b"", b"aa", b"bb", b"cc"}
    if how is Cut.TORN:
        assert not seen <= whole, "it tears nothing"
    else:
        assert {b"", b"aa", b"cc"} <= seen <= whole


def test_a_refused_sync_has_dropped_what_it_should_have_made_safe() -> None:
    disk, file = _file()
    file.xSync(0)
    file.xWrite(b"a", 0)
    disk.refuse = lambda number, op: apsw.IOError("refused") if op is Op.SYNC and number == 3 else None
    with pytest.raises(apsw.IOError):
        file.xSync(0)
    file.xSync(0)
    assert file.xRead(1, 0) == b"a"
    disk.cut(Cut.KEPT)
    assert disk.bytes_of("f") == b""


def test_a_file_whose_name_was_never_synced_may_be_gone() -> None:
    there = set()
    for seed in range(20):
        disk = Disk(random.Random(seed))
        DiskFile(disk, "db", apsw.SQLITE_OPEN_MAIN_DB).xSync(0)
        disk.cut(Cut.KEPT)
        there.add(disk.has("db"))
    assert there == {True, False}
