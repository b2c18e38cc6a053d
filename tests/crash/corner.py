"""A station whose process dies and comes again, at a bench and before a headquarters that run on: all real processes.

The test is its customer and its cashier, and reads what is on disk from a copy of the journal's files.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import msgspec

from controller.api.client import StationUnreachable
from controller.daemon import JOURNAL_FILE
from controller.domain.desk import (
    AuthorisePoint,
    Command,
    CommandResult,
    LeaseDelivery,
    PayDelivery,
    PointState,
    PointView,
    Snapshot,
)
from controller.domain.reasons import Reason
from controller.domain.records import Body, TenderKind
from controller.domain.seams import US_PER_MS, US_PER_S
from controller.machine import MachineClock
from controller.store.journal import Journal
from controller.store.snapshot import copy_running
from sim.backstage import Cast
from sim.control import ControlClient, HangUp, InsertCard, Lift, PumpView, RemoveCard, Squeeze
from sim.site import PLACES, PRICES
from sim.till import RemoteTill
from tests.crash.doomed import ADDRESS, DIED, POINT, fork_server, run_forecourt
from tests.e2e.scene import EmptyStreet

NEIGHBOUR = 3
"""The pump that goes on fuelling through all deaths."""
FLOW_ML_PER_S, SLOW_FLOW_ML_PER_S = 6_000, 500
BAUD = 115_200
"""And no time to read the display: what these tests wait for is the disk."""
CAST = Cast(seed=5, tempo="brisk", served=0, questions=False, flow_ml_per_s=FLOW_ML_PER_S)
CARD = "9001000000000101"
DIESEL = 2
"""Its nozzle at pump 1."""
OUT = "station.out"
LOOK_MS = 10
DEADLINE_S = 60
SLIP = "the printer cut a slip:"


class Corner(EmptyStreet):
    """Processes by the commands of the product, the station's by a fork of one that has imported it already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CAST)
        self._fork = fork_server()
        self.station: ForkServerProcess | None = None
        self.lives = 0
        """How often the station was started."""

    def start_station(self, *, step: str = "") -> None:
        """The station, plain or with a death in it; returns at once."""
        self.lives += 1
        words = ("station", "run", "--config", "station/station.toml", "--simulation")
        self.station = self.forecourt(*words, step=step)

    def forecourt(self, *words: str, step: str = "") -> ForkServerProcess:
        """Any command."""
        return run_forecourt(self._fork, self.folder, self._out, *words, step=step)

    def start_station_from_a_shell(self) -> None:
        """The very command that a person starts; returns when it is ready."""
        self.lives += 1
        super().start_station()

    def kill_station(self) -> None:
        """kill -9; nothing if it is dead already."""
        if self.station is None:
            return
        self.station.kill()
        self._ended(self.station, -signal.SIGKILL)
        self.station = None

    async def dies(self, step: str) -> None:
        """Until the station has killed itself, at this step and by nothing else."""
        assert self.station is not None
        await until(lambda: self.station is None or not self.station.is_alive(), step)
        self._ended(self.station, -signal.SIGKILL)
        self.station = None
        assert self.said.rstrip().endswith(DIED + step), self.said[-2_000:]

    def run(self, *words: str, step: str = "") -> None:
        """A command to its end, which is in order, or the death that is asked for."""
        self._ended(self.forecourt(*words, step=step), -signal.SIGKILL if step else 0)
        assert not step or self.said.rstrip().endswith(DIED + step), self.said[-2_000:]

    def ends_with_a_sentence(self, *words: str, says: str) -> None:
        """A command that cannot do it: exit code 1, and the reason."""
        before = len(self.said)
        self._ended(self.forecourt(*words), 1)
        said = self.said[before:]
        assert says in said
        assert "Traceback" not in said

    def end(self) -> None:
        if self.station is not None:
            self.station.kill()
            self.station.join(DEADLINE_S)
        super().end()

    @property
    def said(self) -> str:
        """All that stations have written."""
        return self._out.read_text(errors="replace") if self._out.exists() else ""

    @property
    def slips(self) -> list[str]:
        """All that the printer has cut off."""
        log = (self.folder / "logs" / "bench.log").read_text(errors="replace")
        return log.split(SLIP)[1:]

    def rows(self) -> list[Body]:
        """What is on disk now, its chain checked: of a copy, so that what a crash left stays as it is."""
        path = self.station_folder / "data" / JOURNAL_FILE
        if not path.exists():
            return []  # it died before it made one
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(copy_running(path, Path(folder)))
            try:
                return list(journal.replay())
            finally:
                journal.close()

    # ---- inside

    def _run_together(self, *commands: tuple[str, ...]) -> None:
        for words in commands:
            self.run(*words)

    @property
    def _out(self) -> Path:
        return self.folder / "logs" / OUT

    def _ended(self, process: ForkServerProcess, code: int) -> None:
        process.join(DEADLINE_S)
        assert process.exitcode == code, f"{process.exitcode}: {self.said[-2_000:]}"
        process.close()

    def _write_files(self) -> None:
        """Each pump on a line of its own: a turn of DART takes its time, and half of them are saved so."""
        super()._write_files()
        bench, station = self.folder / "bench.toml", self.station_folder / "station.toml"
        text = bench.read_text(encoding="utf-8")
        head, _, rest = station.read_text(encoding="utf-8").partition("[[lines]]")
        for place in PLACES:
            flow = SLOW_FLOW_ML_PER_S if place.number == NEIGHBOUR else FLOW_ML_PER_S
            prices = {grade: f"{PRICES[grade].value // 100}.{PRICES[grade].value % 100:02}" for grade in place.grades}
            nozzles = ", ".join(f'{{ grade = "{grade}", price = "{price}" }}' for grade, price in prices.items())
            line = f'[[lines]]\nname = "side-{place.number}"\nbaud = {BAUD}\nprotocol = "dart"\n'
            at = f'number = {place.number}\nline = "side-{place.number}"\naddress = {ADDRESS}\n'
            text += f"{line}[[pumps]]\n{at}flow_ml_per_s = {flow}\nnozzles = [{nozzles}]\n"
            names = ", ".join(f'"{grade}"' for grade in place.grades)
            head += f'{line}port = "../ports/side-{place.number}"\n[[points]]\n{at}nozzles = [{names}]\n'
            head += "dart = { display_hold_ms = 0 }\n"
        bench.write_text(text, encoding="utf-8")
        station.write_text(f"{head}[cards]{rest.partition('[cards]')[2]}", encoding="utf-8")


async def until(met: Callable[[], bool], what: str) -> None:
    """Wait for it. AssertionError with `what` if it never comes."""
    clock = MachineClock()
    deadline_us = clock.now().mono_us + DEADLINE_S * US_PER_S
    while not met():
        assert clock.now().mono_us < deadline_us, f"after {DEADLINE_S} s still not: {what}"
        await clock.sleep_until(clock.now().mono_us + LOOK_MS * US_PER_MS)


class Day:
    """Who stands at the corner: a customer's hands, a cashier, and eyes for both. Use it as a context."""

    def __init__(self, corner: Corner) -> None:
        self.corner = corner
        self._clock = MachineClock()
        self._bench = ControlClient(corner.ports.control)
        self._till = RemoteTill(corner.station_url, corner.till_token(), self._bench, self._clock)
        self._ids = f"{os.getpid()}-{self._clock.now().mono_us}"
        self._count = 0

    async def __aenter__(self) -> "Day":
        self._following = asyncio.ensure_future(self._till.follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._till.close()
        await self._bench.close()

    # ---- the station's lives

    def starts(self, step: str = "") -> None:
        """The station starts; the till has seen nothing of it yet."""
        self._till.forget()
        self.corner.start_station(step=step)

    # ---- what is seen

    @property
    def seen(self) -> Snapshot:
        return self._till.snapshot()

    def tile(self, number: int = POINT) -> PointView | None:
        return next((point for point in self.seen.points if point.number == number), None)

    async def shows(self, number: int, *states: PointState) -> None:
        await until(lambda: (tile := self.tile(number)) is not None and tile.state in states, f"{number}: {states}")

    def trouble(self, where: str) -> str:
        """What the terminal says is wrong there; empty if nothing is."""
        return next((trouble.text for trouble in self.seen.troubles if trouble.where == where), "")

    async def pump(self, number: int = POINT) -> PumpView:
        return next(view for view in await self._bench.pumps() if view.pump == number)

    async def meter_ml(self, number: int = POINT) -> int:
        """What the bench has counted at all nozzles of a pump."""
        return counted_ml(await self.pump(number))

    async def all_meters_ml(self) -> int:
        """The same of all pumps together."""
        return (await self._bench.totals()).totaliser_ml

    async def pump_shows(self, met: Callable[[PumpView], bool], number: int = POINT) -> PumpView:
        deadline_us = self._clock.now().mono_us + DEADLINE_S * US_PER_S
        while not met(view := await self.pump(number)):
            assert self._clock.now().mono_us < deadline_us, f"never: {view}"
            await self._clock.sleep_until(self._clock.now().mono_us + LOOK_MS * US_PER_MS)
        return view

    # ---- the customer

    async def hands(self, what: Lift | Squeeze | HangUp | InsertCard | RemoveCard) -> None:
        await self._bench.ask(what, msgspec.Raw)

    async def fills(self, volume_ml: int, *, number: int = POINT, nozzle: int = DIESEL, card: str = "") -> None:
        """Lifts the nozzle, takes what he wants whenever the pump lets him, hangs up.

        His card stays in the reader until fuel runs.
        """
        begun_ml = await self.meter_ml(number)
        if card:
            await self.hands(InsertCard(number, card))
        await self.hands(Lift(number, nozzle))
        await self.hands(Squeeze(number, volume_ml))
        await self.fuel_runs(number, begun_ml)
        if card:
            await self.hands(RemoveCard(number))
        await self.pump_shows(lambda view: counted_ml(view) == begun_ml + volume_ml and not view.flowing, number)
        await self.hands(HangUp(number))

    async def fuel_runs(self, number: int, begun_ml: int) -> None:
        """Until the meters have moved from there."""
        await self.pump_shows(lambda view: counted_ml(view) > begun_ml, number)

    # ---- the cashier

    def next_id(self) -> str:
        self._count += 1
        return f"{self._ids}-{self._count}"

    async def told(self, command: Command) -> CommandResult | None:
        """A till's command; None if nobody knows what became of it."""
        try:
            return await self._till.command(command)
        except StationUnreachable:
            return None

    async def lets_go(self, number: int, *, plate: str = "") -> None:
        """Lets the pump go when it calls: again, if the station died meanwhile, or could not write."""
        async with asyncio.timeout(DEADLINE_S):
            while (tile := self.tile(number)) is None or tile.state not in {PointState.AUTHORISED, PointState.FUELLING}:
                if tile is not None and tile.state in {PointState.CALLING, PointState.REFUSED}:
                    await self.told(AuthorisePoint(self.next_id(), number, plate, None, None))
                await self._clock.sleep_until(self._clock.now().mono_us + LOOK_MS * US_PER_MS)

    async def takes_cash(self) -> None:
        """Lets pump 1 go and takes the money for it: each command until it is answered, the payment by one id."""
        paying: PayDelivery | None = None
        while True:
            tile = self.tile()
            if paying is None and tile is not None and tile.unpaid:
                unpaid = tile.unpaid[0]
                paying = PayDelivery(self.next_id(), unpaid.delivery_id, TenderKind.CASH, unpaid.amount_minor)
            if paying is not None:
                leased = await self.told(LeaseDelivery(self.next_id(), paying.delivery_id))
                if leased is not None:
                    assert leased.done or leased.reason == Reason.ALREADY_SETTLED, leased
                    answer = await self.told(paying)
                    if answer is not None:
                        assert answer.done, answer
                        return
            elif tile is not None and tile.state is PointState.CALLING:
                await self.told(AuthorisePoint(self.next_id(), POINT, "", None, None))
            await self._clock.sleep_until(self._clock.now().mono_us + LOOK_MS * US_PER_MS)


def counted_ml(view: PumpView) -> int:
    return sum(nozzle.totaliser_ml for nozzle in view.nozzles)


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """People who do this meanwhile; what is given waits until they have done it."""
    tasks = [asyncio.ensure_future(each) for each in work]

    async def done() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*tasks)

    try:
        yield done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
