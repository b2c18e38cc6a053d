"""Lists of any length made from files: read, checked, hashed and sorted within bounded memory.

Each block of lines becomes a run: its entries, sorted, on disk. Then the list is gathered from all runs, one stretch
of keys after the other. Several processes read at once; what is read is the same however many there are.
"""

import gc
import os
import shutil
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from controller.domain.list_digests import BUCKETS, first_key
from controller.domain.list_entries import EntryKind, ListPrice, decode_entry, encode_entry
from controller.domain.list_prices import clashing
from controller.domain.lists import ListRow
from controller.domain.quantities import Currency
from controller.domain.tokens import KEY_BYTES, list_key_print
from controller.store.whitelist_columns import Columns, Meaning
from controller.store.whitelist_file import About, NewList, Provenance, WhitelistError, changing
from controller.store.whitelist_lines import BAD_LINES_MAX, BadLine, BadLines, Block, blocks, numbered, read_block

STRETCHES = 64
"""Into which the keys are cut: ten million entries are gathered by some 160,000, in 20 MB."""
_STEP = BUCKETS // STRETCHES
ALONE_BYTES = 8 << 20
"""Files up to this size are read in this process: to start others takes longer."""
PROCESSES = 2

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and out of how much."""
Stretch = tuple[int, int, list[bytes]]
"""First bucket, the one after the last, and all their entries in order."""


@dataclass(frozen=True, slots=True)
class Way:
    """How rows are understood: the list key, the money, and the zone in which days begin."""

    secret: bytes
    currency: Currency
    zone: ZoneInfo

    def columns(self, folder: Path) -> Columns:
        """`folder`: where rules' files are looked for."""
        return Columns(Meaning(self.secret, self.currency, self.zone, _RuleFiles(folder)))


@dataclass(frozen=True, slots=True)
class _RuleFiles:
    folder: Path

    def __call__(self, name: str) -> str:
        with open(self.folder / name, encoding="utf-8") as file:
            return file.read()


@dataclass(frozen=True, slots=True)
class _Run:
    """One block's entries on disk: where each stretch begins, and where the last one ends."""

    path: Path
    offsets: tuple[int, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


def silent(what: str, done: int, out_of: int) -> None:
    """No progress."""


def read_csv(source: Path, secret: bytes, currency: Currency, zone: ZoneInfo) -> Iterator[ListRow]:
    """The tokens of a short CSV or JSONL file. BadLines names every line that is wrong."""
    columns = Way(secret, currency, zone).columns(source.parent)
    bad: list[BadLine] = []
    for block in blocks(source, columns):
        entries, wrong = read_block(block, columns)
        bad += wrong
        for data in entries:
            if isinstance(row := decode_entry(data), ListRow):
                yield row
    if bad:
        raise BadLines(bad)


def build(path: Path, rows: Iterable[ListRow], version: int) -> int:
    """Make a short list at `path`, whole or not at all. Returns how many rows it has."""
    entries = sorted(encode_entry(row) for row in rows)
    if len({entry[:KEY_BYTES] for entry in entries}) != len(entries):
        raise WhitelistError("a card or plate stands in the list twice: nothing was changed")
    with changing(path), NewList(path) as fresh:
        fresh.append(entries, 0, BUCKETS)
        return fresh.commit(Provenance(version, 0, "", "")).count


def import_files(
    path: Path, sources: Sequence[Path], way: Way, provenance: Provenance, progress: Progress = silent
) -> About:
    """Replace the list at `path` by what the files say, whole or not at all.

    BadLines names every bad line, WhitelistError says what else is wrong; OSError as the disk gives it.
    """
    with (
        changing(path),
        _without_collector(),
        sorted_entries(path, sources, way, progress) as stretches,
        NewList(path) as fresh,
    ):
        for first, end, entries in stretches:
            fresh.append(entries, first, end)
            progress("writing", end, BUCKETS)
        return fresh.commit(replace_print(provenance, way))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rows by the million, and no cycles among them: looking for some takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def replace_print(provenance: Provenance, way: Way) -> Provenance:
    """With the fingerprint and the money of those who read the rows."""
    return msgspec.structs.replace(provenance, list_key_print=list_key_print(way.secret), currency=way.currency.code)


@contextmanager
def sorted_entries(
    beside: Path, sources: Sequence[Path], way: Way, progress: Progress = silent
) -> Iterator[Iterator[Stretch]]:
    """All entries of the files, checked and in order, stretch by stretch. Runs are kept in a folder beside a file.

    BadLines names every bad line, before the first stretch or, where a token stands there twice, at its stretch.
    """
    folder = beside.with_name(beside.name + ".runs")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        runs = _runs(folder, sources, way, progress)
        yield _gather(runs, sources, way)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runs(folder: Path, sources: Sequence[Path], way: Way, progress: Progress) -> list[_Run]:
    work = [
        (folder / f"{index}-{number}", block)
        for index, source in enumerate(sources)
        for number, block in enumerate(blocks(source, way.columns(source.parent)))
    ]
    size = sum(block.size for _, block in work)
    done, runs, bad = 0, [], []
    for block, run, wrong in _read_all(work, way, alone=size <= ALONE_BYTES):
        done += block.size
        progress("reading", done, size)
        runs.append(run)
        bad += wrong
        if len(bad) >= BAD_LINES_MAX:
            break
    if bad:
        raise BadLines(bad)
    return runs


def _read_all(work: list[tuple[Path, Block]], way: Way, *, alone: bool) -> Iterator[tuple[Block, _Run, list[BadLine]]]:
    if alone or (os.cpu_count() or 1) < PROCESSES:
        for path, block in work:
            run, wrong = _make_run(path, block, way)
            yield block, run, wrong
        return
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), gc.disable) as executor:
        waiting: list[tuple[Block, Future[tuple[_Run, list[tuple[int, str]]]]]] = [
            (block, executor.submit(_make_run_apart, path, block, way)) for path, block in work
        ]
        try:
            for block, future in waiting:
                run, told = future.result()
                yield block, run, [BadLine(str(block.path), line, what) for line, what in told]
        except BrokenProcessPool as error:
            raise WhitelistError("a process that read the files was ended: is there memory and disk?") from error
        finally:
            executor.shutdown(cancel_futures=True)


_kept: dict[tuple[Path, Way], Columns] = {}
"""In a process that reads many blocks: what the columns remember."""


def _make_run(path: Path, block: Block, way: Way) -> tuple[_Run, list[BadLine]]:
    columns = _kept.get((block.path.parent, way))
    if columns is None:
        _kept.clear()
        columns = _kept[block.path.parent, way] = way.columns(block.path.parent)
    entries, bad = read_block(block, columns)
    entries.sort()
    offsets, low = [0], 0
    with open(path, "wb") as file:
        for stretch in range(STRETCHES):
            high = bisect_left(entries, first_key((stretch + 1) * _STEP), low)
            file.write(_encoder.encode(entries[low:high]))
            offsets.append(file.tell())
            low = high
    return _Run(path, tuple(offsets)), bad


def _make_run_apart(path: Path, block: Block, way: Way) -> tuple[_Run, list[tuple[int, str]]]:
    """In another process: an exception of ours does not travel whole, its words do."""
    run, bad = _make_run(path, block, way)
    return run, [(each.line, each.what) for each in bad]


def _gather(runs: Sequence[_Run], sources: Sequence[Path], way: Way) -> Iterator[Stretch]:
    prices: list[ListPrice] = []
    kind = int(EntryKind.PRICE)  # looked at for every entry of millions
    for stretch in range(STRETCHES):
        entries = [entry for run in runs for entry in _decoder.decode(_stretch_of(run, stretch))]
        entries.sort()
        keys = [entry[:KEY_BYTES] for entry in entries]
        if len(set(keys)) != len(keys):
            twice = {key for key, after in pairwise(keys) if key == after}
            raise BadLines(_lines_of(twice, sources, way))
        found = [decode_entry(entry) for entry in entries if entry[KEY_BYTES] == kind]
        prices += [entry for entry in found if isinstance(entry, ListPrice)]
        yield stretch * _STEP, (stretch + 1) * _STEP, entries
    if (clash := clashing(prices)) is not None:
        one, other = clash
        raise WhitelistError(
            f"two prices of {one.grade} begin together at the same station: {one.price} for {one.stations}, and "
            f"{other.price} for {other.stations}. Which is it?"
        )


def _stretch_of(run: _Run, stretch: int) -> bytes:
    # Opened each time: a list may have more runs than a process may have files.
    start, end = run.offsets[stretch : stretch + 2]
    with open(run.path, "rb") as file:
        file.seek(start)
        return file.read(end - start)


def _lines_of(twice: set[bytes], sources: Sequence[Path], way: Way) -> list[BadLine]:
    """The lines of these keys, by reading everything once more: it happens once in a while, and runs have no lines."""
    first: dict[bytes, str] = {}
    bad: list[BadLine] = []
    for source in sources:
        columns = way.columns(source.parent)
        for block in blocks(source, columns):
            for line, entry in numbered(block, columns):
                key = entry[:KEY_BYTES]
                if key not in twice:
                    continue
                if key in first:
                    bad.append(BadLine(str(source), line, f"this stands in the list already, at {first[key]}"))
                    if len(bad) == BAD_LINES_MAX:
                        return bad
                else:
                    first[key] = f"line {line}" + ("" if len(sources) == 1 else f" of {source}")
    return bad
