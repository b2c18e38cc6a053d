"""The simulated pump before a master that is not ours: raw bytes over a pseudo terminal, own check sum, own counting.

Nothing of the product's DART code is used on the master's side, so that an error that both ends share shows here.
"""

import asyncio
import os
import tty
from collections.abc import Awaitable, Callable

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.dart.settings import DartSettings
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine
from tests.pumps.port_bench import LoopClock
from tests.pumps.steady import run_steadily

ADDRESS = 0x53
DEADLINE_S = 20.0


def arc(data: bytes) -> int:
    """CRC-16/ARC, bit by bit: 0xBB3D over "123456789"."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return register


class ForeignMaster:
    """Keeps its own TX#, writes its own bytes, reads until a frame's end."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        self._tx = 0
        self.said: dict[int, bytes] = {}
        """The last data of each TRANS that the pump sent."""
        self.order: list[bytes] = []

    async def talk(self, wire: bytes, *, answer: bool = True) -> bytes:
        os.write(self._fd, wire)
        heard = bytearray()
        async with asyncio.timeout(DEADLINE_S):
            while answer and not (len(heard) > 2 and heard[-1] == 0xFA and heard[-2] != 0x10):
                await asyncio.sleep(0.003)
                try:
                    heard += os.read(self._fd, 300)
                except BlockingIOError:
                    continue
        return bytes(heard)

    async def send(self, transactions: str) -> None:
        """One block, as hex; the pump's link must acknowledge it."""
        body = bytes((ADDRESS, 0x30 | self._tx)) + bytes.fromhex(transactions)
        check = arc(body)
        coded = (body + bytes((check & 0xFF, check >> 8))).replace(b"\xfa", b"\x10\xfa")
        assert await self.talk(coded + b"\x03\xfa") == bytes((ADDRESS, 0xC0 | self._tx, 0xFA))
        self._tx = self._tx % 15 + 1

    async def poll(self) -> bool:
        """Whether the pump had something to say; it is taken apart, kept and acknowledged."""
        heard = await self.talk(bytes((ADDRESS, 0x20, 0xFA)))
        if heard == bytes((ADDRESS, 0x70, 0xFA)):
            return False
        assert heard[0] == ADDRESS
        assert heard[1] >> 4 == 3
        assert heard[-2:] == b"\x03\xfa"
        plain = heard[:-2].replace(b"\x10\xfa", b"\xfa")
        assert arc(plain) == 0
        body = plain[2:-2]
        while body:
            size = body[1]
            self.said[body[0]] = body[2 : 2 + size]
            self.order.append(body[: 2 + size])
            body = body[2 + size :]
        await self.talk(bytes((ADDRESS, 0xC0 | heard[1] & 0x0F, 0xFA)), answer=False)
        return True

    async def until(self, transaction: str) -> None:
        """Poll until the pump has said exactly this."""
        wanted = bytes.fromhex(transaction)
        self.order.clear()
        while wanted not in self.order:
            await self.poll()
            await asyncio.sleep(0.01)

    async def drain(self) -> None:
        while await self.poll():
            pass

    def close(self) -> None:
        os.close(self._fd)


class Forecourt:
    def __init__(self) -> None:
        self.clock = LoopClock()
        currency = CURRENCIES["TRY"]
        nozzles = [HeadNozzle("diesel", UnitPrice(4000, 2), 1_234_560), HeadNozzle("petrol", UnitPrice(4500, 2))]
        self.head = PumpHead(nozzles, currency, flow_ml_per_s=5_000, slow_band_ml=0)
        settings = DartSettings(address=ADDRESS, currency=currency, nozzles=2)
        self.line = PtyLine([DartTwin(self.head, settings, reply_latency_us=5_000)], self.clock)
        self.master = ForeignMaster(self.line.path)

    @property
    def now_us(self) -> int:
        return self.clock.now().mono_us


def on_a_line(story: Callable[[Forecourt], Awaitable[None]]) -> None:
    async def main() -> None:
        forecourt = Forecourt()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await story(forecourt)
        finally:
            forecourt.master.close()
            forecourt.line.close()

    run_steadily(main())


def test_the_foreign_check_sum_is_the_one_of_the_catalogue() -> None:
    assert arc(b"123456789") == 0xBB3D


def test_a_foreign_master_sells_up_to_a_preset() -> None:
    async def story(f: Forecourt) -> None:
        master = f.master
        await master.drain()
        await master.send("01 01 05")  # RESET
        await master.send("02 01 01  03 04 00 00 02 00  01 01 06")  # nozzle 1, 2.00 litres, AUTHORIZE, in one block
        await master.until("01 01 02")
        f.head.lift(1, f.now_us)
        await master.until("03 04 00 40 00 11")  # 40.00, nozzle 1 is out
        f.head.squeeze(60_000, f.now_us)
        await master.until("01 01 04")
        await master.until("01 01 06")
        await master.send("01 01 04")  # filling information
        await master.until("02 08 00 00 02 00 00 00 80 00")  # 2.00 litres for 80.00
        f.head.hang_up(f.now_us)
        await master.until("01 01 05")
        await master.send("65 01 01")  # total of nozzle 1: 1234.56 + 2.00
        await master.until("65 10 01 00 00 12 36 56 00 00 12 36 56 00 00 00 00 00")
        await master.send("01 01 05")
        await master.until("01 01 01")

    on_a_line(story)


def test_a_foreign_master_holds_a_delivery_lets_it_go_on_and_stops_it() -> None:
    async def story(f: Forecourt) -> None:
        master = f.master
        await master.send("02 02 01 02  01 01 05")
        await master.send("01 01 06")
        await master.until("01 01 02")
        f.head.lift(2, f.now_us)
        f.head.squeeze(500_000, f.now_us)
        await master.until("01 01 04")
        await master.send("01 01 0D")
        await master.until("01 01 08")
        held = f.head.volume_ml(f.now_us)
        await master.send("01 01 0E")
        await master.until("01 01 04")
        await master.send("0E 01 02")  # identification lost
        await master.until("01 01 08")
        assert f.head.volume_ml(f.now_us) > held > 0
        await master.send("0F 01 02")
        await master.until("01 01 04")
        await master.send("01 01 08")  # STOP
        await master.until("01 01 05")
        await master.drain()
        await master.send("01 01 00")  # status: both DC1 and DC3
        await master.until("03 04 00 45 00 12")
        assert master.said[0x01] == b"\x05"
        await master.send("01 01 03")  # identity
        await master.until("09 05 12 34 01 01 00")

    on_a_line(story)


def test_sixteen_blocks_and_more_are_counted_as_both_ends_count() -> None:
    async def story(f: Forecourt) -> None:
        for _ in range(40):
            await f.master.send("01 01 00")
            await f.master.drain()
        assert f.master.said[0x01] == b"\x01"

    on_a_line(story)


def test_a_damaged_block_is_not_answered_and_a_repeated_one_is_acknowledged_again() -> None:
    async def story(f: Forecourt) -> None:
        await f.master.drain()
        await f.master.talk(bytes.fromhex("53 30 01 01 05 00 00 03 FA"), answer=False)
        await asyncio.sleep(0.1)
        await f.master.send("01 01 00")
        check = arc(body := bytes.fromhex("53 30 01 01 00")).to_bytes(2, "little")
        assert await f.master.talk(body + check + b"\x03\xfa") == bytes.fromhex("53 C0 FA")

    on_a_line(story)
