"""Frame codecs are linear in their input: a megabyte of 10 or 100 takes no longer than one by itself.

Beside good frames, `split` gets input that is bad on purpose: ends that are none, starts without an end. 100 MB, more
than a day of a full line, is tried with DART's good frames, in and out; the rest is tried up to 10 MB. Protocols whose
modules are not there are left out, and named.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from types import ModuleType

from benchmarks.report import Check, Report
from controller.pumps.dart import frame as dart
from controller.pumps.dart.errors import FrameError
from controller.pumps.dart.transactions import Filled, NozzleState, State, Status, block

SIZES_MB = (10,)
SIZES_MB_DART = (10, 100)
SMALL_RUNS = 6
"""Single megabytes measured before and as many after each large input: processors of shared machines change their
speed by half within seconds, and that is no property of a codec."""
RATIO_MAX = 1.3
BYTES_A_MB = 1_000_000
AZT2_REPLY = bytes.fromhex("7f02304f030373")
"""Status 0."""
TWO_WIRE_BLOCK = bytes.fromhex("fff1f8ebe1e0e0e2f6e2f4f7e0e7e0e1f9e0e6e3e3e2e0fae0e0e0e5e2e0fbecf0")
"""A captured transaction."""
Work = Callable[[bytes], object]


def measure() -> Report:
    checks: list[Check] = []
    facts: list[tuple[str, str]] = []
    for name, unit, work, sizes in works(facts):
        small = unit * (BYTES_A_MB // len(unit))
        _seconds_a_mb(small, work)  # warms up
        ratios = []
        told = []
        for size in sizes:
            around = [_seconds_a_mb(small, work) for _ in range(SMALL_RUNS)]
            large_s = _seconds_a_mb(unit * (size * BYTES_A_MB // len(unit)), work)
            around += [_seconds_a_mb(small, work) for _ in range(SMALL_RUNS)]
            small_s = sum(around) / len(around)
            ratios.append(large_s / small_s)
            told.append(f"{size} MB at {1 / large_s:.1f} MB/s, single ones around it at {1 / small_s:.1f}")
        checks.append(Check(name, max(ratios), RATIO_MAX, "x"))
        facts.append((name, "; ".join(told)))
    return Report("codecs", checks, facts)


def _seconds_a_mb(data: bytes, work: Work) -> float:
    """Processor time: what other programs do meanwhile does not count."""
    began = time.process_time()
    work(data)
    return (time.process_time() - began) / (len(data) / BYTES_A_MB)


def works(facts: list[tuple[str, str]]) -> Iterator[tuple[str, bytes, Work, tuple[int, ...]]]:
    """(what, a piece to repeat, what to do with it, how much of it), for each codec that is there."""
    body = block((Status(State.FILLING), Filled(1234, 5678), NozzleState(4379, 1, True)))
    frame = dart.Frame(0x51, dart.Control.DATA, 5, body)
    wire = dart.encode(frame)
    yield "DART, frames in", wire, _decode_all, SIZES_MB_DART
    yield "DART, frames out", wire, lambda data: _encode_all(frame, len(data) // len(wire)), SIZES_MB_DART
    yield "DART, ends that are none", b"\x10\xfa", dart.split, SIZES_MB
    azt2 = _module("controller.pumps.azt2.frame", facts)
    if azt2 is not None:
        yield "AZT 2.0, frames in", AZT2_REPLY, _replies_of(azt2), SIZES_MB
        yield "AZT 2.0, starts only", b"\x7f", azt2.split, SIZES_MB
    two_wire = _module("controller.pumps.two_wire.frame", facts)
    if two_wire is not None:
        yield "two-wire, blocks in", TWO_WIRE_BLOCK, _blocks_of(two_wire), SIZES_MB


def _encode_all(frame: dart.Frame, count: int) -> None:
    for _ in range(count):
        dart.encode(frame)


def _decode_all(data: bytes) -> int:
    good = 0
    for piece in dart.split(data):
        try:
            dart.decode(piece)
            good += 1
        except FrameError:
            continue
    return good


def _module(name: str, facts: list[tuple[str, str]]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        facts.append((name, f"left out: {error}"))
        return None


def _replies_of(azt2: ModuleType) -> Work:
    def work(data: bytes) -> object:
        for piece in azt2.split(data):
            azt2.decode_reply(piece)
        return None

    return work


def _blocks_of(two_wire: ModuleType) -> Work:
    """This protocol has no splitter: the turn says what comes. So its input is one block after the other."""
    size = len(TWO_WIRE_BLOCK)

    def work(data: bytes) -> object:
        for at in range(0, len(data) - size + 1, size):
            two_wire.open_answer_block(data[at : at + size])
        return None

    return work


if __name__ == "__main__":
    measure().show()
