"""How late the event loop gets while a journal of 200,000 rows is exported beside it.

The export reads through the journal's own thread, in chunks, and makes JSON on another thread: what the loop has to
share with them is the interpreter's lock. The same loop without an export is measured in the same run.
"""

import asyncio
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import BinaryIO

import msgspec

from benchmarks.report import Check, Report, percentile
from controller.domain.funds import Funds
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import Delivery, Row, Stamp, decode_body
from controller.domain.seams import ClockQuality
from controller.machine import MachineClock
from controller.store.journal import Journal
from controller.store.writer import ThreadWriter

ROWS = 200_000
ROWS_A_COMMIT = 1_000
CHUNK_ROWS = 20
"""A thread gives the interpreter's lock back when its chunk is done, or after 5 ms: so a chunk is well below that."""
TICK_S = 0.01
LIMIT_MS = 5.0
QUIET_S = 5
BOOT = bytes(8)
MS = 1_000


def measure() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        _fill(path)
        with (Path(folder) / "export.jsonl").open("wb") as target:
            return asyncio.run(_export(path, target))


def _fill(path: Path) -> None:
    journal = Journal(path)
    journal.begin_epoch(bytes(8))
    sale = Delivery(
        1, 1, "diesel", Unit.LITRE, UnitPrice(4379, 2), 43_210, 189_217, 1, 43_211, None, None, "", Funds.NONE, False
    )
    stamp = Stamp(1_700_000_000_000, BOOT, 1, ClockQuality.SYNCHRONISED)
    for _ in range(ROWS // ROWS_A_COMMIT):
        journal.append([sale] * ROWS_A_COMMIT, stamp)
    journal.close()


async def _export(path: Path, target: BinaryIO) -> Report:
    writer = ThreadWriter(Journal(path), MachineClock(), BOOT)
    try:
        quiet = await _lateness_during(asyncio.sleep(QUIET_S))
        began_s = time.monotonic()
        late = await _lateness_during(_write_all(writer, target))
        took_s = time.monotonic() - began_s
    finally:
        await writer.close()
    size_mb = target.tell() / 1e6
    return Report(
        "loop_lateness",
        [Check("late while exporting, p99", percentile(late, 0.99) * MS, LIMIT_MS, "ms")],
        [
            (
                "export",
                f"{ROWS:,} rows, {size_mb:.0f} MB of JSON in {took_s:.1f} s, chunks of {CHUNK_ROWS}",
            ),
            ("while exporting", _spread(late)),
            ("without it", _spread(quiet)),
        ],
    )


def _spread(late_s: list[float]) -> str:
    shown = ", ".join(f"p{share * 100:.0f} {percentile(late_s, share) * MS:.2f}" for share in (0.5, 0.9, 0.99))
    return f"{shown}, most {max(late_s) * MS:.2f} ms of {len(late_s)} ticks"


async def _lateness_during(work: Coroutine[object, object, None]) -> list[float]:
    """How late each tick of the loop came until the work was done, in seconds."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    late: list[float] = []
    while not task.done():
        due_s = loop.time() + TICK_S
        await asyncio.sleep(TICK_S)
        late.append(loop.time() - due_s)
    await task
    return late


async def _write_all(writer: ThreadWriter, target: BinaryIO) -> None:
    seq = 0
    while rows := await writer.rows_after(seq, CHUNK_ROWS):
        seq += len(rows)
        await asyncio.to_thread(_write_lines, rows, target)


def _write_lines(rows: list[Row], target: BinaryIO) -> None:
    target.write(b"".join(map(_line_of, rows)))


def _line_of(row: Row) -> bytes:
    body = decode_body(row.body)
    record = {name: getattr(body.record, name) for name in body.record.__struct_fields__}
    shown = {"row": body.name.text, "at_ms": body.stamp.wall_ms, "hash": row.hash.hex(), "record": record}
    return msgspec.json.encode(shown) + b"\n"


if __name__ == "__main__":
    measure().show()
