"""bench.toml: which simulated devices the bench has. Decoded and checked once, here.

An error names the file and the key, and says what was expected. Opens no device, knows no loop.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from controller.domain.quantities import CURRENCIES, Currency, UnitPrice, parse_decimal
from controller.domain.seams import US_PER_MS
from controller.pumps.address import BadAddress, net_address
from controller.pumps.core import LineSettings
from controller.pumps.digits import PumpDigits
from controller.pumps.framing import framed
from sim.pumps.head import (
    FLOW_ML_PER_S,
    SLOW_BAND_ML,
    SLOW_ML_PER_S,
    TOTALISER_MODULO_ML,
    HeadNozzle,
    PumpHead,
)
from sim.pumps.port import Twin
from sim.pumps.protocols import Make, ProtocolError, PumpProtocol, protocol
from sim.site import CURRENCY, LINES, PLACES, PRICES, Place

LAST_PORT = 65_535
LATENCY_MS_MAX = 80
"""A pump that thinks longer is one with a fault: `delay`."""
PUMPS_MAX = 64
NOZZLES_MAX = 8
BAUD_RANGE = (300, 115_200)
SLACK_US_MAX = 500_000
"""A frame that hangs for longer is a broken one."""


class BenchError(Exception):
    """The bench cannot be set up; the text says why and what to do."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class CustomersTable(_Table, frozen=True):
    """Customers that come by themselves. `served`: how many; 0 is without end."""

    tempo: Literal["brisk", "easy"] = "easy"
    served: int = 0
    questions: bool = False
    plates: bool = False


class LineTable(_Table, frozen=True):
    """A line and the cable that it is on. `port`: a number for TCP (0: a free one), a device for `serial`.

    `slack_us`: how long the cable may hold back the rest of a frame; without it, what its kind of cable needs.
    """

    name: str
    protocol: str = "dart"
    transport: Literal["pty", "tcp", "rfc2217", "serial"] = "pty"
    port: int | str = 0
    baud: int | None = None
    framing: str | None = None
    slack_us: int | None = None
    pace: bool | None = None


class NozzleTable(_Table, frozen=True):
    """`totaliser_ml`, `totaliser_minor`: what the counters of volume and of money show at the beginning."""

    grade: str
    price: str
    totaliser_ml: int = 0
    totaliser_minor: int = 0


class PumpTable(_Table, frozen=True):
    """A pump. `options` are its protocol's own."""

    number: int
    line: str
    address: int
    nozzles: tuple[NozzleTable, ...]
    flow_ml_per_s: int | None = None
    slow_ml_per_s: int = SLOW_ML_PER_S
    slow_band_ml: int = SLOW_BAND_ML
    overrun_ml: int = 0
    undershoot_ml: int = 0
    totaliser_modulo_ml: int = TOTALISER_MODULO_ML
    latency_ms: int | None = None
    programmed: bool = True
    volume_decimals: int = 2
    amount_decimals: int = 2
    price_decimals: int = 2
    totaliser_decimals: int = 2
    options: dict[str, Any] = {}


class KeypadTable(_Table, frozen=True):
    """The keypad at a pump, and the port that it listens on; 0 takes a free one."""

    point: int
    port: int = 0


class BenchFile(_Table, frozen=True):
    """bench.toml. Ports of 0 take a free one; `links` is a folder of stable names for the pseudo terminals."""

    seed: int = 1
    control_port: int = 0
    links: str = "ports"
    card_keys: str = ""
    reader_ports: tuple[int, ...] | None = None
    printer: Literal["epson", "generic", "none"] = "epson"
    flow_ml_per_s: int = FLOW_ML_PER_S
    currency: str = CURRENCY.code
    customers: CustomersTable | None = None
    lines: tuple[LineTable, ...] = ()
    pumps: tuple[PumpTable, ...] = ()
    keypads: tuple[KeypadTable, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchPump:
    """One pump, made, with nothing around it yet, and where it stands for customers."""

    place: Place
    protocol: PumpProtocol
    twin: Twin


@dataclass(frozen=True, slots=True)
class BenchLine:
    """One line: how its bytes look, and who hangs on it."""

    table: LineTable
    protocol: PumpProtocol
    settings: LineSettings
    pumps: tuple[BenchPump, ...]

    @property
    def pace(self) -> bool:
        """Whether bytes are heard and said one by one."""
        return self.protocol.paced if self.table.pace is None else self.table.pace


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """The file, checked: protocols found, pumps made, a port for each reader. `path` is for messages."""

    path: Path
    file: BenchFile
    lines: tuple[BenchLine, ...]
    reader_ports: dict[int, int]

    @property
    def pumps(self) -> tuple[BenchPump, ...]:
        """All pumps, by number."""
        return tuple(sorted((pump for line in self.lines for pump in line.pumps), key=lambda pump: pump.place.number))


def load(path: Path) -> BenchPlan:
    """Read and check a bench.toml. BenchError names file and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BenchError(f"{path}: not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise BenchError(f"{path} cannot be read ({error.strerror}): see docs/simulator.md for one to copy") from error
    return parse(text, path)


def parse(text: str, path: Path) -> BenchPlan:
    """Check the text of a bench.toml; `path` is for messages."""
    try:
        file = msgspec.convert(tomllib.loads(text), BenchFile)
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise BenchError(f"{path}: {_readable(str(error))}") from error
    try:
        return _Check(file).plan(path)
    except _WrongError as error:
        raise BenchError(f"{path}: {error}") from error


def _readable(error: str) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.pumps[0].address`" as: pumps[0].address: expected int, got str."""
    what, _, where = error.partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `([^`]+)`", what):
        return f"{key}.{unknown.group(1)}".lstrip(".") + ": this key is not known here"
    if missing := re.search(r"missing required field `([^`]+)`", what):
        return f"{key}.{missing.group(1)}".lstrip(".") + ": this key is missing"
    what = what.replace("`", "")
    return f"{key or 'top level'}: {what[0].lower()}{what[1:]}"


class _WrongError(Exception):
    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key}: {what}")


class _Check:
    """What msgspec cannot see."""

    def __init__(self, file: BenchFile) -> None:
        self._file = file

    def plan(self, path: Path) -> BenchPlan:
        file = self._file
        if file.pumps and not file.lines:
            raise _WrongError("lines", "expected [[lines]]: the pumps need a line to hang on")
        if file.lines and not file.pumps:
            raise _WrongError("pumps", "expected [[pumps]]: nothing hangs on the lines")
        _above_zero("flow_ml_per_s", file.flow_ml_per_s)
        _port("control_port", file.control_port)
        currency = CURRENCIES.get(file.currency)
        if currency is None:
            raise _WrongError("currency", f"{file.currency!r}: expected one of {', '.join(sorted(CURRENCIES))}")
        lines = file.lines or tuple(LineTable(name) for name in LINES)
        pumps = file.pumps or tuple(_of_place(place) for place in PLACES)
        made = self._pumps(pumps, self._lines(lines), currency)
        self._keypads({pump.place.number for pump in made})
        if file.customers is not None and not file.card_keys:
            raise _WrongError("card_keys", "customers need the station's keys/cards.json to have cards made")
        return BenchPlan(
            path,
            file,
            tuple(
                BenchLine(
                    line,
                    protocol(line.protocol),
                    _settings(line),
                    tuple(pump for pump in made if pump.place.line == line.name),
                )
                for line in lines
            ),
            self._reader_ports([pump.place.number for pump in made]),
        )

    def _lines(self, lines: tuple[LineTable, ...]) -> dict[str, LineTable]:
        known: dict[str, LineTable] = {}
        ports: set[int] = set()
        for index, line in enumerate(lines):
            key = f"lines[{index}]"
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", line.name) or line.name in ("printer", "control"):
                raise _WrongError(f"{key}.name", f"{line.name!r}: expected letters, digits, dots or dashes")
            if line.name in known:
                raise _WrongError(f"{key}.name", f"{line.name!r} stands twice")
            try:
                protocol(line.protocol)
            except ProtocolError as error:
                raise _WrongError(f"{key}.protocol", str(error)) from error
            if line.baud is not None and not BAUD_RANGE[0] <= line.baud <= BAUD_RANGE[1]:
                raise _WrongError(f"{key}.baud", f"{line.baud}: expected {BAUD_RANGE[0]} to {BAUD_RANGE[1]}")
            try:
                _settings(line)
            except ValueError as error:
                raise _WrongError(f"{key}.framing", str(error)) from error
            if line.slack_us is not None and not 0 <= line.slack_us <= SLACK_US_MAX:
                raise _WrongError(f"{key}.slack_us", f"{line.slack_us}: expected 0 to {SLACK_US_MAX} microseconds")
            _line_port(f"{key}.port", line)
            if isinstance(line.port, int) and line.port:
                if line.port in ports:
                    raise _WrongError(f"{key}.port", f"{line.port} is the port of another line")
                ports.add(line.port)
            known[line.name] = line
        return known

    def _pumps(
        self, pumps: tuple[PumpTable, ...], lines: dict[str, LineTable], currency: Currency
    ) -> tuple[BenchPump, ...]:
        made: list[BenchPump] = []
        numbers: set[int] = set()
        addresses: set[tuple[str, int]] = set()
        for index, pump in enumerate(pumps):
            key = f"pumps[{index}]"
            if not 1 <= pump.number <= PUMPS_MAX or pump.number in numbers:
                raise _WrongError(f"{key}.number", f"{pump.number}: expected a number of its own, 1 to {PUMPS_MAX}")
            if pump.line not in lines:
                raise _WrongError(f"{key}.line", f"{pump.line!r} is no line: expected one of {', '.join(lines)}")
            if (pump.line, pump.address) in addresses:
                taken = f"{pump.address:#x} is taken by another pump of line {pump.line!r}"
                raise _WrongError(f"{key}.address", taken)
            numbers.add(pump.number)
            addresses.add((pump.line, pump.address))
            made.append(self._pump(key, pump, protocol(lines[pump.line].protocol), currency))
        return tuple(made)

    def _pump(self, key: str, pump: PumpTable, speaks: PumpProtocol, currency: Currency) -> BenchPump:
        flow = self._file.flow_ml_per_s if pump.flow_ml_per_s is None else pump.flow_ml_per_s
        _above_zero(f"{key}.flow_ml_per_s", flow)
        _above_zero(f"{key}.slow_ml_per_s", pump.slow_ml_per_s)
        _above_zero(f"{key}.totaliser_modulo_ml", pump.totaliser_modulo_ml)
        if pump.latency_ms is not None and not 0 <= pump.latency_ms <= LATENCY_MS_MAX:
            raise _WrongError(f"{key}.latency_ms", f"{pump.latency_ms}: expected 0 to {LATENCY_MS_MAX}")
        if pump.slow_band_ml < 0:
            raise _WrongError(f"{key}.slow_band_ml", f"{pump.slow_band_ml}: expected no less than zero")
        if min(pump.overrun_ml, pump.undershoot_ml) < 0 or (pump.overrun_ml and pump.undershoot_ml):
            raise _WrongError(f"{key}.overrun_ml", "a pump stops too late or too early: set one of the two, above zero")
        head = PumpHead(
            _nozzles(key, pump),
            currency,
            flow_ml_per_s=flow,
            slow_ml_per_s=pump.slow_ml_per_s,
            slow_band_ml=pump.slow_band_ml,
            overrun_ml=pump.overrun_ml - pump.undershoot_ml,
            totaliser_modulo_ml=pump.totaliser_modulo_ml,
        )
        try:
            digits = PumpDigits(
                currency=currency,
                volume_decimals=pump.volume_decimals,
                amount_decimals=pump.amount_decimals,
                price_decimals=pump.price_decimals,
                total_decimals=pump.totaliser_decimals,
            )
            latency_us = None if pump.latency_ms is None else pump.latency_ms * US_PER_MS
            make = Make(
                address=pump.address,
                digits=digits,
                latency_us=latency_us,
                programmed=pump.programmed,
                options=pump.options,
            )
            twin = speaks.make(head, make)
        except ValueError as error:
            raise _WrongError(key, str(error)) from error
        grades = tuple(nozzle.grade for nozzle in pump.nozzles)
        return BenchPump(Place(pump.number, pump.line, pump.address, grades), speaks, twin)

    def _reader_ports(self, numbers: list[int]) -> dict[int, int]:
        """A port for each pump's reader; none if the list is empty."""
        ports = self._file.reader_ports
        if ports is None:
            return dict.fromkeys(numbers, 0)
        if ports and len(ports) != len(numbers):
            raise _WrongError("reader_ports", f"expected {len(numbers)} ports, one a fuelling point, or none at all")
        for index, port in enumerate(ports):
            _port(f"reader_ports[{index}]", port)
        return dict(zip(numbers, ports, strict=False))

    def _keypads(self, numbers: set[int]) -> None:
        at: set[int] = set()
        for index, keypad in enumerate(self._file.keypads):
            key = f"keypads[{index}]"
            if keypad.point not in numbers:
                known = ", ".join(map(str, sorted(numbers)))
                raise _WrongError(f"{key}.point", f"{keypad.point}: no pump stands there, expected one of {known}")
            if keypad.point in at:
                raise _WrongError(f"{key}.point", f"{keypad.point} has a keypad already")
            _port(f"{key}.port", keypad.port)
            at.add(keypad.point)


def _of_place(place: Place) -> PumpTable:
    """A pump of the demonstration's station."""
    nozzles = []
    for grade in place.grades:
        price = PRICES[grade]
        whole, cents = divmod(price.value, 10**price.exponent)
        nozzles.append(NozzleTable(grade, f"{whole}.{cents:0{price.exponent}d}"))
    return PumpTable(place.number, place.line, place.address, tuple(nozzles))


def _nozzles(key: str, pump: PumpTable) -> list[HeadNozzle]:
    if not 1 <= len(pump.nozzles) <= NOZZLES_MAX:
        raise _WrongError(f"{key}.nozzles", f"expected 1 to {NOZZLES_MAX} nozzles")
    made = []
    for index, nozzle in enumerate(pump.nozzles):
        try:
            price = UnitPrice(*parse_decimal(nozzle.price))
        except ValueError as error:
            raise _WrongError(f"{key}.nozzles[{index}].price", f'{error}; write it in quotes, as "43.79"') from error
        if price.value < 0:
            raise _WrongError(f"{key}.nozzles[{index}].price", f"{nozzle.price!r}: expected no less than zero")
        if not 0 <= nozzle.totaliser_ml < pump.totaliser_modulo_ml:
            below = f"{nozzle.totaliser_ml}: expected 0 to below totaliser_modulo_ml ({pump.totaliser_modulo_ml})"
            raise _WrongError(f"{key}.nozzles[{index}].totaliser_ml", below)
        if nozzle.totaliser_minor < 0:
            below = f"{nozzle.totaliser_minor}: expected no less than zero"
            raise _WrongError(f"{key}.nozzles[{index}].totaliser_minor", below)
        made.append(HeadNozzle(nozzle.grade, price, nozzle.totaliser_ml, nozzle.totaliser_minor))
    return made


def _line_port(key: str, line: LineTable) -> None:
    match line.transport:
        case "pty":
            if line.port != 0:
                raise _WrongError(key, "a pseudo terminal has no port: leave it out, its name is a link")
        case "serial":
            try:
                where = net_address(str(line.port))
            except BadAddress as error:
                raise _WrongError(key, str(error)) from error
            if where is None and not str(line.port).startswith("/dev/"):
                raise _WrongError(key, f'{line.port!r}: expected a serial device such as "/dev/ttyUSB0"')
        case _:
            if not isinstance(line.port, int):
                raise _WrongError(key, f"{line.port!r}: expected a TCP port, or 0 for any that is free")
            _port(key, line.port)


def _port(key: str, port: int) -> None:
    if not 0 <= port <= LAST_PORT:
        raise _WrongError(key, f"{port}: expected a port, 1 to {LAST_PORT}, or 0 for any that is free")


def _above_zero(key: str, value: int) -> None:
    if value <= 0:
        raise _WrongError(key, f"{value}: expected a number above zero")


def _settings(line: LineTable) -> LineSettings:
    """ValueError with a sentence if the framing does not fit."""
    settings = protocol(line.protocol).line
    if line.baud is not None:
        settings = replace(settings, baud=line.baud)
    return settings if line.framing is None else framed(settings, line.framing)
