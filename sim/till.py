"""A till over HTTP for a simulated attendant, and its window on the bench's street."""

from controller.api.client import StationClient, StationUnreachable
from controller.domain.desk import Command, CommandResult, LinkView, Snapshot
from controller.domain.seams import Clock
from sim.attendant import Bell
from sim.control import ControlClient
from sim.customers import Pays, Visit
from sim.site import PLACES, holders

RETRY_US = 100_000

NOTHING_YET = Snapshot(
    station="",
    station_name="",
    simulated=True,
    currency="",
    decimals=0,
    at_ms=0,
    version=0,
    points=(),
    link=LinkView(configured=False, connected=False, waiting_rows=0, down_since_ms=0),
    troubles=(),
    journal_head="",
    sales=0,
)


class RemoteTill:
    """Implements the attendant's `TillDesk` on the station's API."""

    def __init__(self, url: str, token: str, control: ControlClient, clock: Clock) -> None:
        self._client = StationClient(url, token)
        self._control = control
        self._clock = clock
        self._bell = Bell()
        self._snapshot = NOTHING_YET
        self._street: dict[int, Visit] = {}

    async def follow(self) -> None:
        """Keep up with the station until cancelled; a station that is away for a moment is waited for."""
        while True:
            try:
                async for snapshot in self._client.snapshots():
                    self._street = await self._look()
                    self._snapshot = snapshot
                    self._bell.ring()
            except StationUnreachable:
                await self._clock.sleep_until(self._clock.now().mono_us + RETRY_US)

    async def changed(self) -> None:
        await self._bell.wait()

    def snapshot(self) -> Snapshot:
        return self._snapshot

    async def command(self, command: Command) -> CommandResult:
        return await self._client.command(command)

    def forget(self) -> None:
        """What was seen before a restart does not count."""
        self._snapshot = NOTHING_YET

    def window(self, point: int) -> Visit | None:
        """Who stands at this fuelling point."""
        return self._street.get(point)

    async def close(self) -> None:
        await self._client.close()

    async def _look(self) -> dict[int, Visit]:
        by_plate = {holder.plate: holder for holder in holders()}
        by_number = {place.number: place for place in PLACES}
        return {
            standing.point: Visit(by_number[standing.point], 0, 0, Pays(standing.pays), by_plate.get(standing.plate))
            for standing in await self._control.street()
        }
