"""What pumps stand in front of a test's station: their twins with faults around them, their wires, their configuration.

Without anything said it is the four DART pumps of the simulated station. A `Yard` of its own has two pumps of one
protocol on one line, each with one nozzle of diesel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.pumps.core import LinePort
from controller.pumps.dart import transactions as dart
from controller.pumps.digits import PumpDigits
from sim.chance import Chance
from sim.faults import Faults, FaultyTwin
from sim.pumps.head import FLOW_ML_PER_S, HeadNozzle, PumpHead
from sim.pumps.port import Twin
from sim.pumps.protocols import Make, protocol
from sim.site import CURRENCY, LINES, PLACES, PRICES, Place, make_twin, station_toml

ADDRESSES = {"dart": (0x50, 0x51), "two-wire": (1, 2), "azt2": (1, 2)}
COUNTER_DIGITS = {"dart": 10, "two-wire": 8, "azt2": 10}
"""Of the totalisers: then they roll over."""


@dataclass(frozen=True)
class Yard:
    """Two pumps of a protocol. `options`: of the simulated pumps; `keys`: of the points in station.toml.

    `start_ml`: what their totalisers show already.
    """

    protocol: str
    options: Mapping[str, Any] = field(default_factory=dict)
    keys: str = ""
    start_ml: int = 0

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(
            Place(number, LINES[0], address, ("diesel",)) for number, address in enumerate(ADDRESSES[self.protocol], 1)
        )

    def twin(self, place: Place) -> Twin:
        head = PumpHead([HeadNozzle("diesel", PRICES["diesel"], totaliser_ml=self.start_ml)], CURRENCY)
        make = Make(address=place.address, digits=PumpDigits(currency=CURRENCY), options=self.options)
        return protocol(self.protocol).make(head, make)

    def toml(self) -> str:
        """The simulated station's file, with these lines and points."""
        before, _, rest = _site_toml(self.places).partition("[[lines]]")
        parts = [before + "[[lines]]", f'name = "{LINES[0]}"', f'protocol = "{self.protocol}"', 'port = "house"']
        for place in self.places:
            parts += ["[[points]]", f"number = {place.number}", f'line = "{place.line}"', f"address = {place.address}"]
            parts += ['nozzles = ["diesel"]', self.keys]
        return "\n".join(parts) + "\n[cards]" + rest.partition("[cards]")[2]


@dataclass(frozen=True)
class DemoYard:
    """The pumps of the simulated station."""

    protocol: str = "dart"

    @property
    def places(self) -> tuple[Place, ...]:
        return PLACES

    def twin(self, place: Place) -> Twin:
        return make_twin(place, flow_ml_per_s=FLOW_ML_PER_S)

    def toml(self) -> str:
        return _site_toml(PLACES)


def _site_toml(places: tuple[Place, ...]) -> str:
    return station_toml(
        line_ports={line: line for line in LINES},
        reader_ports={place.number: f"house:{place.number}" for place in places},
        printer_port="house",
        api_port=0,
        headquarters=None,
    )


AnyYard = Yard | DemoYard


def faulty(yard: AnyYard, place: Place, seed: int) -> FaultyTwin:
    """The pump of a place, with nothing wrong yet."""
    return protocol(yard.protocol).faulty(yard.twin(place), Faults(Chance(seed, f"faults/{place.number}")))


class Heard(list[dart.ToPump]):
    """What a DART pump acts upon, told before the pump acts."""

    def __init__(self, point: int, hears: Callable[[int, dart.ToPump], None]) -> None:
        super().__init__()
        self._point = point
        self._hears = hears

    def append(self, item: dart.ToPump, /) -> None:
        super().append(item)
        self._hears(self._point, item)


class Wire:
    """A pump's end of its line, which can be cut."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.line: LinePort | None = None
        self._cut = False

    @property
    def cut(self) -> bool:
        return self._cut

    @cut.setter
    def cut(self, cut: bool) -> None:
        self._cut = cut
        if self.line is not None:
            self.line.wake()  # in virtual time a line rests until something happens: this does

    @property
    def head(self) -> PumpHead:
        return self.twin.head

    @property
    def reply_latency_us(self) -> int:
        return self.twin.reply_latency_us

    @property
    def quiet_answer(self) -> bytes:
        return self.twin.quiet_answer

    def hears(self, data: bytes) -> bool:
        return not self.cut and self.twin.hears(data)

    def receive(self, data: bytes, now_us: int) -> bytes:
        return self.twin.receive(data, now_us)

    def has_news(self, now_us: int) -> bool:
        return self.cut or self.twin.has_news(now_us)
