"""Both ends of the link for tests: a journal in memory, a key, headquarters in memory, a clock moved by hand."""

import asyncio
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.funds import Funds
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import (
    GENESIS,
    Body,
    Delivery,
    Record,
    Row,
    RowName,
    Settlement,
    Stamp,
    Started,
    Tender,
    TenderKind,
    decode_body,
    seal_row,
)
from controller.domain.seams import ClockQuality, Now, Timer
from sync.hq.ingest import Ingest
from sync.hq.store import Store
from sync.wire import Acknowledgement, Batch, pack_batch, unpack_acknowledgement

STATION = "st-1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
WALL_MS = 1_800_000_000_000


class Chance:
    """Randomness from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def random_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)


@dataclass
class Journal:
    """A station's journal in memory; also an Outbox."""

    station: str = STATION
    rows: list[Row] = field(default_factory=list)
    epoch: bytes = b""
    cursor: int = 0
    simulated: bool = True
    starts: int = 0

    @property
    def head_seq(self) -> int:
        return len(self.rows)

    @property
    def head_hash(self) -> bytes:
        return self.rows[-1].hash if self.rows else GENESIS

    def start(self, chance: Chance) -> None:
        previous = decode_body(self.rows[-1].body).name if self.rows else None
        self.epoch = chance.random_bytes(8)
        self.write(Started(self.station, "test", self.simulated, previous))

    def write(self, record: Record) -> RowName:
        name = RowName(self.epoch, self.head_seq + 1)
        stamp = Stamp(WALL_MS + self.head_seq, b"boot", self.head_seq, ClockQuality.SIMULATED)
        self.rows.append(seal_row(self.head_hash, Body(name, stamp, record)))
        return name

    def deliver(self, amount_minor: int = 4379, *, account: str = "") -> RowName:
        funds = Funds.POSTPAID if account else Funds.NONE
        price = UnitPrice(4379, 2)
        return self.write(
            Delivery(1, 1, "diesel", Unit.LITRE, price, 1000, amount_minor, 0, 1000, None, None, account, funds, False)
        )

    def settle(self, delivery: RowName, amount_minor: int = 4379, kind: TenderKind = TenderKind.CASH) -> RowName:
        tenders = (Tender(kind, amount_minor, amount_minor),)
        return self.write(Settlement(delivery, self.head_seq, amount_minor, tenders, "till", f"c{self.head_seq}"))

    def sell(self, amount_minor: int = 4379, *, account: str = "") -> None:
        kind = TenderKind.ACCOUNT if account else TenderKind.CASH
        self.settle(self.deliver(amount_minor, account=account), amount_minor, kind)

    def copy(self) -> "Journal":
        """The disk as it is now, to be restored later."""
        return Journal(self.station, list(self.rows), self.epoch, self.cursor, self.simulated)

    def batch(self, after: int, limit: int = 500) -> bytes:
        previous = self.rows[after - 1].hash if after else GENESIS
        return pack_batch(Batch(self.station, after, previous, tuple(self.rows[after : after + limit])), KEY)

    async def rows_after(self, seq: int, limit: int) -> list[Row]:
        return self.rows[seq : seq + limit]

    async def row_at(self, seq: int) -> Row | None:
        return self.rows[seq - 1] if 0 < seq <= len(self.rows) else None

    async def set_cursor(self, seq: int) -> None:
        self.cursor = seq


class Headquarters:
    """A store in memory behind the real ingest."""

    def __init__(self, *, simulated: bool = True) -> None:
        self.store = Store.in_memory()
        self.store.enrol(STATION, PUBLIC, 0)
        self.ingest = Ingest(self.store, simulated=simulated)

    def take(self, data: bytes) -> Acknowledgement:
        return unpack_acknowledgement(self.ingest.receive(data, WALL_MS))

    def hashes(self) -> list[bytes]:
        return [row.hash for _, row in self.store.rows_of(STATION)]


class HandClock:
    """A clock that only moves when `advance` is called."""

    quality = ClockQuality.SIMULATED

    def __init__(self) -> None:
        self.mono_us = 0
        self._count = 0
        self._timers: list[tuple[int, int, _Timer]] = []

    def now(self) -> Now:
        return Now(WALL_MS + self.mono_us // 1000, self.mono_us)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        timer = _Timer(callback)
        self._count += 1
        heapq.heappush(self._timers, (mono_us, self._count, timer))
        return timer

    async def sleep_until(self, mono_us: int) -> None:
        reached = asyncio.Event()
        timer = self.call_at(mono_us, reached.set)
        try:
            await reached.wait()
        finally:
            timer.cancel()

    def advance(self) -> bool:
        """Go to the next timer and call it; False if there is none."""
        while self._timers:
            mono_us, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                self.mono_us = max(self.mono_us, mono_us)
                timer.callback()
                return True
        return False


@dataclass
class _Timer:
    callback: Callable[[], None] | None

    def cancel(self) -> None:
        self.callback = None
