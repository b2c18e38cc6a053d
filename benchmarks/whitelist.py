"""A whitelist of a million cards (or `--rows`): imported by the real command, and looked up as decisions do.

The import is held against a bare sorted insert of the very entries that came out of it, into the same table, with
nothing else on the clock; a look-up against the bare statement on the same keys, in turns with it. Warm: the file was
just written, and the same keys were looked up before. The import reads by two processes: on a machine that is busy
with something else, the processor time says more than the seconds.
"""

import argparse
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from benchmarks.report import Check, Report, percentile
from controller.domain.lists import ListState
from controller.domain.tokens import KEY_BYTES
from controller.install import install, template
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import CATALOGUE, ENTRIES, INSERT

ROWS = 1_000_000
SEED = 11
LOOK_UPS = 50_000
A_TURN = 500
STRANGERS = 0.1
"""Of the keys looked up: those that stand on no list."""
ROWS_A_GO = 50_000
SAMPLE_S = 0.1

LOOK_UP_MS_MAX = 1.0
LOOK_UP_RATIO_MAX = 4.0
IMPORT_RATIO_MAX = 3.0
MEMORY_MB_MAX = 300.0
MB = 1_000_000
KB = 1_024
NS_PER_MS = 1_000_000

PRODUCTS = ("diesel", "diesel;gasoline", "autogas")
ODOMETER = ("yes", "no", "")
HEADING = "card,plate,account,status,products,valid_from,valid_until,ask_odometer,fill_volume,day_volume,month_amount"


def lines(rows: int, seed: int) -> Iterator[str]:
    """Fleets of some hundred vehicles; one row in ten is a plate's."""
    chance = random.Random(seed)
    yield f"{HEADING}\n"
    for number in range(rows):
        plate = number % 10 == 9
        token = f",{number // 10_000_000:02} TR {number:07}" if plate else f"{9_001_000_000_000_000 + number * 7},"
        status = "active" if number % 50 else "stopped"
        bits = chance.getrandbits(48)
        month, day = bits % 12 + 1, (bits >> 8) % 28 + 1
        yield (
            f"{token},FLEET-{number // 300},{status},{PRODUCTS[(bits >> 16) % 3]},"
            f"2026-{month:02}-{day:02},2028-{month:02}-{day:02},{ODOMETER[(bits >> 20) % 3]},"
            f"{(bits >> 24) % 80 * 5 + 40},{(bits >> 32) % 80 * 10 + 100},{(bits >> 40) % 200 * 500 + 1_000}\n"
        )


def measure(rows: int = ROWS) -> Report:
    with tempfile.TemporaryDirectory(prefix="whitelist-") as name:
        folder = Path(name)
        install(folder, template(simulated=True), random.Random(SEED).randbytes, tills=("till-1",), card_key=None)
        source = folder / "cards.csv"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(lines(rows, SEED))
        import_s, import_cpu_s, memory_mb = _import(folder, source)
        path = folder / "data" / "whitelist.db"
        bare_s, bare_cpu_s = _bare_insert(path, folder / "bare.db")
        bare_ns, look_up_ns = _look_ups(path, rows)
        file_mb, source_mb = path.stat().st_size / MB, source.stat().st_size / MB
    bare_p99, p99 = (percentile(values, 0.99) / NS_PER_MS for values in (bare_ns, look_up_ns))
    bare_p50, p50 = (percentile(values, 0.5) / NS_PER_MS for values in (bare_ns, look_up_ns))
    return Report(
        "whitelist",
        [
            Check("a look-up, p99", p99, LOOK_UP_MS_MAX, "ms"),
            Check("its p99 against the bare statement's", p99 / bare_p99, LOOK_UP_RATIO_MAX, "x"),
            Check("import against a bare sorted insert", import_s / bare_s, IMPORT_RATIO_MAX, "x"),
            Check("memory of all its processes", memory_mb, MEMORY_MB_MAX, "MB"),
        ],
        [
            ("rows", f"{rows:,}: {source_mb:,.0f} MB of CSV, a list of {file_mb:,.0f} MB"),
            ("import", f"{import_s:.1f} s; bare insert {bare_s:.1f} s ({bare_s / rows * MB:.2f} us a row)"),
            ("processor", f"import {import_cpu_s:.1f} s in all its processes; bare insert {bare_cpu_s:.1f} s"),
            ("look-up", f"p50 {p50 * 1_000:.1f} us, p99 {p99 * 1_000:.1f} us"),
            ("bare statement", f"p50 {bare_p50 * 1_000:.1f} us, p99 {bare_p99 * 1_000:.1f} us"),
        ],
    )


def _import(folder: Path, source: Path) -> tuple[float, float, float]:
    """Seconds elapsed and of processor, and the most memory, of the command and its processes together."""
    command = [sys.executable, "-m", "forecourt", "whitelist", "import", "--config", str(folder / "station.toml")]
    began = time.monotonic()
    process = subprocess.Popen([*command, str(source)], stdout=subprocess.DEVNULL)
    most = [0.0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_S):
            most[0] = max(most[0], _memory_mb(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = _children_s()
    code = process.wait()
    elapsed = time.monotonic() - began
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"the import ended with {code}: {' '.join(command)}")
    return elapsed, _children_s() - before, most[0]


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _memory_mb(pid: int) -> float:
    """Of a process and those it started; pages they share count once."""
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
            total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
            waiting += map(int, Path(f"/proc/{each}/task/{each}/children").read_text(encoding="ascii").split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return total * KB / MB


def _bare_insert(path: Path, target: Path) -> tuple[float, float]:
    """Seconds, and of processor, to put all rows of a list into another by one transaction, until they are on disk."""
    made = sqlite3.connect(path)
    rows = made.execute("SELECT key, kind, value FROM entries ORDER BY key")
    bare = sqlite3.connect(target, isolation_level=None)
    bare.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {ENTRIES} {CATALOGUE}")
    bare.execute("BEGIN")
    elapsed = busy = 0.0
    while go := list(islice(rows, ROWS_A_GO)):
        began, began_busy = time.monotonic(), time.process_time()
        bare.executemany(INSERT, go)
        elapsed += time.monotonic() - began
        busy += time.process_time() - began_busy
    began, began_busy = time.monotonic(), time.process_time()
    bare.execute("COMMIT")
    bare.close()
    number = os.open(target, os.O_RDONLY)
    os.fsync(number)
    os.close(number)
    made.close()
    return elapsed + time.monotonic() - began, busy + time.process_time() - began_busy


def _look_ups(path: Path, rows: int) -> tuple[list[int], list[int]]:
    """Nanoseconds of each bare statement and of each look-up, on the same keys."""
    keys = _some_keys(path, rows)
    listed = Whitelist(path)
    bare = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)

    def statement(key: bytes) -> None:
        bare.execute("SELECT kind, value FROM entries WHERE key = ?", (key,)).fetchone()

    def look_up(key: bytes) -> None:
        if listed.look_up(key).state is not ListState.READY:
            raise SystemExit(listed.trouble)

    for key in keys:  # warm
        statement(key)
        look_up(key)
    bare_ns: list[int] = []
    look_up_ns: list[int] = []
    for start in range(0, len(keys), A_TURN):
        turn = keys[start : start + A_TURN]
        bare_ns += _timed(statement, turn)
        look_up_ns += _timed(look_up, turn)
    listed.close()
    bare.close()
    return bare_ns, look_up_ns


def _some_keys(path: Path, rows: int) -> list[bytes]:
    chance = random.Random(SEED)
    made = sqlite3.connect(path)
    every = max(rows // LOOK_UPS, 1)
    keys = [key for number, (key,) in enumerate(made.execute("SELECT key FROM entries")) if number % every == 0]
    made.close()
    keys = [chance.randbytes(KEY_BYTES) if chance.random() < STRANGERS else key for key in keys]
    chance.shuffle(keys)
    return keys


def _timed(call: Callable[[bytes], None], keys: list[bytes]) -> list[int]:
    taken = []
    for key in keys:
        began = time.perf_counter_ns()
        call(key)
        taken.append(time.perf_counter_ns() - began)
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many cards and plates; {ROWS:,} without it")
    measure(parser.parse_args().rows).show()
