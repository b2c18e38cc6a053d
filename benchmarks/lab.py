"""A million sales through the laboratory: how long it takes, what memory, and how many times the bare work of JSON.

The events are made here from a seed, into a file; the laboratory is the real command, a process of its own. Beside it
the same lines are only decoded and encoded again, in this process, without any rule: what no engine could do without.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from benchmarks.report import Check, Report
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.events import decode

SALES = 1_000_000
MEMBERS = 20_000
SEED = 7
PROGRAMME = "positive-card"
"""The one with the most rules: plates, limits of a day, the watch against abuse, inactivity, expiry."""
ELAPSED_S_MAX = 60
MEMORY_MB_MAX = 500
RATIO_MAX = 25
"""A year in under a minute leaves each event about this many times the work of its JSON."""
ISTANBUL = timezone(timedelta(hours=3))
BYTES_A_KB = 1024
MB = 1_000_000


def events(sales: int, members: int, seed: int) -> Iterator[bytes]:
    """Enrolments, then a year of sales with reversals and redemptions, as lines."""
    chance = random.Random(seed)
    began = datetime(2026, 1, 1, 6, tzinfo=ISTANBUL)
    reference = 0

    def line(at: datetime, event_type: str, **fields: object) -> bytes:
        nonlocal reference
        reference += 1
        event = {"at": at.isoformat(), "type": event_type, "ref": f"e{reference}", **fields}
        return json.dumps(event).encode() + b"\n"

    for number in range(members):
        person = {"name": "Ayşe", "surname": "Yılmaz", "phone": f"+90{number:010}", "birth_date": "1990-05-04"}
        yield line(began, "member.enrol", member=f"M{number}", kind="person", consents=["information"], **person)
        yield line(began, "member.activate", member=f"M{number}", channel="web")
        yield line(began, "card.issue", holder=f"M{number}", card=f"{number:016}")
    step = timedelta(days=350) / sales
    for number in range(sales):
        at = (began + number * step).replace(microsecond=0)
        member = chance.randrange(members)
        amount_minor = chance.randrange(20_000, 150_000)
        yield line(
            at,
            "sale",
            card=f"{member:016}",
            product=chance.choice(("gasoline", "diesel", "autogas")),
            volume_ml=amount_minor * 1_000 // 4_379,
            amount_minor=amount_minor,
            tenders=[{"kind": chance.choice(("cash", "electronic")), "amount_minor": amount_minor}],
            station=f"S{member % 500}",
        )
        if number % 50 == 0:
            yield line(at, "sale.reverse", sale=f"e{reference}")
        if number % 40 == 0:
            yield line(at, "redeem", holder=f"M{member}", product="diesel", points=100, proof={"otp": True})


def measure(sales: int = SALES) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "events.jsonl", Path(folder) / "answers.jsonl"
        with source.open("wb") as out:
            out.writelines(events(sales, MEMBERS, SEED))
        bare_s = _bare(source, target)
        lab_s, processor_s, memory_mb, lines = _laboratory(source, target)
    return Report(
        "lab",
        [
            Check("elapsed", lab_s, ELAPSED_S_MAX, "s"),
            Check("memory at its highest", memory_mb, MEMORY_MB_MAX, "MB"),
            Check("against decoding and encoding alone", lab_s / bare_s, RATIO_MAX, "x"),
        ],
        [
            ("events", f"{lines:,}, of them {sales:,} sales of {MEMBERS:,} members of {PROGRAMME}, in a year"),
            ("processor time", f"{processor_s:.1f} s of the {lab_s:.1f} s"),
            ("an event", f"{lab_s / lines * MB:.1f} us; decoded and encoded alone {bare_s / lines * MB:.1f} us"),
        ],
    )


def _bare(source: Path, target: Path) -> float:
    encode = msgspec.json.Encoder().encode
    began = time.monotonic()
    with source.open("rb") as lines, target.open("wb") as out:
        for line in lines:
            event = decode(line)
            out.write(encode(Answer(event.ref, "accepted", None, {"points:M:fuel": 0, "available:M:fuel": 0})))
            out.write(b"\n")
    return time.monotonic() - began


def _laboratory(source: Path, target: Path) -> tuple[float, float, float, int]:
    """Elapsed and processor seconds and the most memory of the command, and how many lines it answered."""
    command = [sys.executable, "-m", "forecourt", "programme", "lab", PROGRAMME, str(source)]
    began = time.monotonic()
    with target.open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the laboratory ended with {process.returncode}: {' '.join(command)}")
    with target.open("rb") as answers:
        lines = sum(1 for _ in answers)
    return elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * BYTES_A_KB / MB, lines


if __name__ == "__main__":
    measure().show()
