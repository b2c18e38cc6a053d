"""A whole line with its own core, a real pseudo terminal and a tap: what was said is heard, frame by frame."""

import asyncio

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.core import LinePort, LineSettings
from controller.pumps.dart.pump import DartPump, DartSettings
from controller.pumps.decoded import Check
from controller.pumps.line import LineRunner, SerialLinePort
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import Authorise, Authorised, Calling, Idle, Preset, PumpEvent
from controller.wire.decode import Ear, Heard
from controller.wire.protocols import protocol_of
from controller.wire.stream import StreamReader, lines
from controller.wire.tap import Tap
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import PtyLine
from tests.pumps.port_bench import LoopClock
from tests.pumps.steady import run_steadily

DEADLINE_S = 20.0


def states(frames: list[Heard]) -> list[object]:
    return [part.values["state"] for frame in frames for part in frame.transactions if part.name == "status"]


def test_a_tap_hears_a_sale_begin_as_it_is_said() -> None:
    frames: list[Heard] = []

    async def main() -> None:
        clock = LoopClock()
        currency = CURRENCIES["TRY"]
        head = PumpHead([HeadNozzle("diesel", UnitPrice(4000, 2))], currency)
        settings = DartSettings(address=0x51, currency=currency)
        line = PtyLine([DartTwin(head, settings, reply_latency_us=5_000)], clock)
        tap = Tap(clock)
        told: list[PumpEvent] = []
        news = asyncio.Event()

        def open_port() -> LinePort:
            return tap.port(SerialLinePort(line.path, LineSettings(), clock))

        def on_event(_: int, event: PumpEvent) -> None:
            told.append(event)
            news.set()

        async def until(kind: type[PumpEvent]) -> None:
            while not any(isinstance(event, kind) for event in told):
                news.clear()
                await news.wait()

        async def listen() -> None:
            reader, ear = StreamReader(), Ear(protocol_of("dart"))
            async for data in lines(tap.listen(), "dart", "line", clock):
                for passed in reader.feed(data):
                    frames.extend(ear.hear(bytes.fromhex(passed.hex), passed.direction))
                news.set()

        runner = LineRunner(LineSchedule({1: DartPump(settings)}), None, clock, on_event, open_port)
        tasks = [asyncio.ensure_future(listen()), asyncio.ensure_future(runner.run())]
        try:
            async with asyncio.timeout(DEADLINE_S):
                await until(Idle)
                head.lift(1, clock.now().mono_us)
                await until(Calling)
                runner.submit(1, Authorise((1,), Preset(volume_ml=10_000)))
                await until(Authorised)
                while "authorized" not in states(frames):  # the listener comes after the line
                    news.clear()
                    await news.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            line.close()

    run_steadily(main())
    assert not [frame for frame in frames if frame.damaged]
    assert {frame.crc for frame in frames} == {Check.OK, Check.NONE}
    to_pump = [part.name for frame in frames if frame.direction == "to-pump" for part in frame.transactions]
    wanted = ["return status", "reset", "allowed nozzles", "preset volume", "authorize"]
    assert [name for name in to_pump if name in wanted and name != "return status"] == wanted[1:]
    assert states(frames)[-1] == "authorized"
