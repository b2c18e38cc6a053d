"""station.toml: what stands at this station. Decoded and checked once, here.

An error names the file, the key, and what was expected. Knows no device.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from controller.cards_table import CardsTable, ReaderTable, wrong_cards, wrong_readers
from controller.config_programmes import ProgrammesTable, ReceiptTable, VatTable, check_programmes, check_vat
from controller.domain.ladder import ODOMETER_KM_A_DAY, Ladder, Rules, Step
from controller.domain.meters import FLOW_LIMIT_ML_PER_S
from controller.domain.prices import PriceField
from controller.domain.products import Grade
from controller.domain.programmes.rules import Product
from controller.domain.quantities import CURRENCIES, Currency, Unit, UnitPrice, parse_decimal
from controller.domain.receipt import WIDTH_MIN
from controller.domain.vat import VatRate
from controller.keypad_table import KeypadTable, wrong_keypads
from controller.programme_files import ProgrammeText
from controller.pumps.address import net_address
from controller.pumps.core import LineSettings
from controller.pumps.digits import VOLUME_DECIMALS_MAX, PumpDigits
from controller.pumps.options import DartOptions, PumpOptions, TwoWireOptions
from controller.pumps.protocols import PROTOCOLS, line_settings

MAX_POINTS = 64
MAX_NOZZLES = 6
LAST_PORT = 65_535
TOTALISER_DIGITS = range(4, 15)
"""Fewer would roll over within a fill, more are on no pump."""
SLACK_US_MAX = 500_000
"""A converter that holds bytes back for longer makes every silent pump hold up its line."""
OVERRUN_ML_MAX = 10_000
"""More than any pump runs over: a limit would be kept back for nothing."""
ODOMETER_KM_A_DAY_MAX = 100_000
OPTIONS = {"dart": "dart", "two_wire": "two-wire"}
"""Of which protocol's pumps the tables within a point are."""


class ConfigError(Exception):
    """The file cannot be used; the text names file and key and says what was expected."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class StationTable(_Table, frozen=True):
    id: str
    name: str
    currency: str
    time_zone: str
    address: tuple[str, ...] = ()
    business_day_starts: int = 0
    simulated: bool = False
    data: str = "data"
    keys: str = "keys"


class ApiTable(_Table, frozen=True):
    host: str = "127.0.0.1"
    port: int = 7733


class TillTable(_Table, frozen=True):
    """A till. `manager`: it may also say what only a manager says; where none is one, all of them are.

    `sees`: it is no till but a device that reads plates at pumps, and says nothing else.
    """

    id: str
    token_file: str
    manager: bool = False
    sees: Literal["", "camera", "tag"] = ""


class HeadquartersTable(_Table, frozen=True):
    url: str


class GradeTable(_Table, frozen=True):
    code: str
    name: str
    price: str
    unit: Unit = Unit.LITRE
    product: Product | None = None


class LineTable(_Table, frozen=True):
    name: str
    protocol: Literal["dart", "two-wire", "azt2"]
    port: str
    baud: int | None = None
    framing: str | None = None
    slack_us: int | None = None
    echo: bool = False

    @property
    def settings(self) -> LineSettings:
        """How bytes look on it. ValueError if the framing does not fit: `parse` has looked."""
        return line_settings(self.protocol, self.baud, self.framing)


class PointTable(_Table, frozen=True):
    number: int
    line: str
    address: int
    nozzles: tuple[str, ...]
    volume_decimals: int = 2
    amount_decimals: int = 2
    price_decimals: int = 2
    totaliser_decimals: int = 2
    totaliser_digits: int | None = None
    flow_limit_ml_per_s: int = FLOW_LIMIT_ML_PER_S
    dart: DartOptions | None = None
    two_wire: TwoWireOptions | None = None

    @property
    def options(self) -> PumpOptions | None:
        """What only its protocol knows."""
        return self.two_wire if self.dart is None else self.dart

    def digits(self, currency: Currency) -> PumpDigits:
        """How its pump counts."""
        return PumpDigits(
            currency=currency,
            volume_decimals=self.volume_decimals,
            amount_decimals=self.amount_decimals,
            price_decimals=self.price_decimals,
            total_decimals=self.totaliser_decimals,
        )


class PrinterTable(_Table, frozen=True):
    port: str
    model: Literal["generic", "epson"] = "generic"
    width: int = 42
    baud: int = 19200
    hardware_flow: bool = True


class PricesTable(_Table, frozen=True):
    """Who sets prices: `desk`, or by the `list` headquarters, for all grades that it names there."""

    set_by: Literal["desk", "list"] = "desk"


class LimitsTable(_Table, frozen=True):
    """What shrinks limits: `ladder` is pairs of hours since the last contact with headquarters, and percent."""

    ladder: tuple[tuple[int, int], ...] = tuple((step.hours, step.percent) for step in Ladder().steps)
    floor_percent: int = Ladder().floor_percent
    overrun_ml: int = 100
    odometer_km_a_day: int = ODOMETER_KM_A_DAY

    @property
    def rules(self) -> Rules:
        ladder = Ladder(tuple(Step(*pair) for pair in self.ladder), self.floor_percent)
        return Rules(ladder, self.overrun_ml, self.odometer_km_a_day)


class StationFile(_Table, frozen=True):
    """The file as it is written."""

    station: StationTable
    grades: tuple[GradeTable, ...]
    lines: tuple[LineTable, ...]
    points: tuple[PointTable, ...]
    tills: tuple[TillTable, ...]
    api: ApiTable = ApiTable()
    headquarters: HeadquartersTable | None = None
    cards: CardsTable | None = None
    readers: tuple[ReaderTable, ...] = ()
    keypads: tuple[KeypadTable, ...] = ()
    printer: PrinterTable | None = None
    limits: LimitsTable = LimitsTable()
    prices: PricesTable = PricesTable()
    receipt: ReceiptTable = ReceiptTable()
    programmes: ProgrammesTable = ProgrammesTable()
    vat: tuple[VatTable, ...] = ()


class StationConfig(msgspec.Struct, frozen=True):
    """The file, checked: references resolved, texts made into quantities. `folder` is where relative paths begin."""

    folder: Path
    file: StationFile
    currency: Currency
    zone: ZoneInfo
    grades: dict[str, Grade]
    programmes: tuple[ProgrammeText, ...] = ()
    vat: tuple[VatRate, ...] = ()

    @property
    def data(self) -> Path:
        return self.folder / self.file.station.data

    @property
    def keys(self) -> Path:
        return self.folder / self.file.station.keys

    @property
    def price_fields(self) -> dict[str, tuple[PriceField, ...]]:
        """By grade: how each of its pumps shows a price."""
        protocols = {line.name: line.protocol for line in self.file.lines}
        fields: dict[str, tuple[PriceField, ...]] = {}
        for point in self.file.points:
            field = PriceField(point.price_decimals, PROTOCOLS[protocols[point.line]].price_max)
            for code in point.nozzles:
                fields[code] = (*fields.get(code, ()), field)
        return fields


def load(path: Path) -> StationConfig:
    """Read and check a station.toml. ConfigError says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        hint = "make one with: forecourt station init DIR"
        raise ConfigError(f"{path} cannot be read ({error.strerror}): {hint}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> StationConfig:
    """Check the text of a station.toml; `path` is for messages and for relative paths in it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    try:
        file = msgspec.convert(raw, StationFile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_readable(str(error), text)}") from error
    return _check(file, path)


_Wrong = Callable[[str, str], ConfigError]


def _check(file: StationFile, path: Path) -> StationConfig:
    def wrong(key: str, what: str) -> ConfigError:
        return ConfigError(f"{path}: {key}: {what}")

    currency, zone = _check_station(file.station, wrong)
    grades = _check_grades(file.grades, wrong)
    numbers = _check_points(file, grades, wrong)
    _check_devices(file, wrong)
    _check_limits(file.limits, wrong)
    for key, what in wrong_readers(file.readers, numbers, [till.id for till in file.tills]):
        raise wrong(key, what)
    for key, what in wrong_cards(file.cards, readers=bool(file.readers), grades=grades):
        raise wrong(key, what)
    for key, what in wrong_keypads(file.keypads, numbers):
        raise wrong(key, what)
    if len({till.id for till in file.tills}) != len(file.tills):
        raise wrong("tills", "two tills have the same id")
    if not all(till.id for till in file.tills):
        raise wrong("tills", "a till's id is empty: expected a name such as till-1")
    if len({till.token_file for till in file.tills}) != len(file.tills):
        raise wrong("tills", "two tills have the same token_file: nobody could tell who speaks")
    if not file.tills:
        raise wrong("tills", "expected at least one till: without one nobody can give a command")
    programmes = check_programmes(file.programmes, path.parent, currency, wrong)
    products = {grade.code: grade.product for grade in file.grades}
    return StationConfig(path.parent, file, currency, zone, grades, programmes, check_vat(file.vat, products, wrong))


def _check_station(station: StationTable, wrong: _Wrong) -> tuple[Currency, ZoneInfo]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", station.id):
        raise wrong("station.id", f"{station.id!r}: expected 1 to 32 letters, digits, dots or dashes")
    currency = CURRENCIES.get(station.currency)
    if currency is None:
        raise wrong("station.currency", f"{station.currency!r}: expected one of {', '.join(sorted(CURRENCIES))}")
    try:
        zone = ZoneInfo(station.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise wrong("station.time_zone", f"{station.time_zone!r}: expected a name such as Europe/Istanbul") from error
    if not 0 <= station.business_day_starts <= 23:
        raise wrong("station.business_day_starts", f"{station.business_day_starts}: expected an hour, 0 to 23")
    return currency, zone


def _check_limits(limits: LimitsTable, wrong: _Wrong) -> None:
    hours = [pair[0] for pair in limits.ladder]
    percents = [*(pair[1] for pair in limits.ladder), limits.floor_percent]
    if hours != sorted(set(hours)) or any(hour <= 0 for hour in hours):
        raise wrong("limits.ladder", f"{hours}: expected pairs of hours and percent, the hours growing from 1")
    if not all(0 <= percent <= 100 for percent in percents) or percents != sorted(percents, reverse=True):
        raise wrong("limits.ladder", f"{percents}: expected percents from 100 down to limits.floor_percent, 0 to 100")
    if not 0 <= limits.overrun_ml <= OVERRUN_ML_MAX:
        raise wrong("limits.overrun_ml", f"{limits.overrun_ml}: expected 0 to {OVERRUN_ML_MAX} thousandths of a unit")
    if not 0 <= limits.odometer_km_a_day <= ODOMETER_KM_A_DAY_MAX:
        raise wrong("limits.odometer_km_a_day", f"{limits.odometer_km_a_day}: expected 1 to 100000, or 0 for no bound")


def _check_devices(file: StationFile, wrong: _Wrong) -> None:
    if not 0 <= file.api.port <= LAST_PORT:
        raise wrong("api.port", f"{file.api.port}: expected a port, 1 to {LAST_PORT}, or 0 for any that is free")
    ports: set[object] = set()
    for index, line in enumerate(file.lines):
        try:
            where = net_address(line.port)
        except ValueError as error:
            raise wrong(f"lines[{index}].port", str(error)) from error
        place = line.port if where is None else (where.host, where.port)
        if place in ports:  # they would take it from each other for ever
            raise wrong(f"lines[{index}].port", f"{line.port!r}: another line has it: expected a port of its own")
        ports.add(place)
        if line.baud is not None and line.baud <= 0:
            raise wrong(f"lines[{index}].baud", f"{line.baud}: expected a speed such as 9600")
        try:
            _ = line.settings
        except ValueError as error:
            raise wrong(f"lines[{index}].framing", str(error)) from error
        if line.slack_us is not None and not 0 <= line.slack_us <= SLACK_US_MAX:
            raise wrong(f"lines[{index}].slack_us", f"{line.slack_us}: expected 0 to {SLACK_US_MAX} microseconds")
    if file.printer is not None:
        if file.printer.baud <= 0:
            raise wrong("printer.baud", f"{file.printer.baud}: expected a speed such as 19200")
        if file.printer.width < WIDTH_MIN:
            raise wrong("printer.width", f"{file.printer.width}: expected at least {WIDTH_MIN} letters a line")


def _check_grades(tables: tuple[GradeTable, ...], wrong: _Wrong) -> dict[str, Grade]:
    grades: dict[str, Grade] = {}
    for index, grade in enumerate(tables):
        if grade.code in grades:
            raise wrong(f"grades[{index}].code", f"{grade.code!r} stands twice")
        try:
            price = UnitPrice(*parse_decimal(grade.price))
        except ValueError as error:
            raise wrong(f"grades[{index}].price", f'{error}; write it in quotes, as "43.79"') from error
        if price.value <= 0:
            raise wrong(f"grades[{index}].price", f"{grade.price!r}: expected a price above zero")
        grades[grade.code] = Grade(grade.code, grade.name, grade.unit, price)
    return grades


def _check_points(file: StationFile, grades: dict[str, Grade], wrong: _Wrong) -> set[int]:
    lines = {line.name: line.protocol for line in file.lines}
    if len(lines) != len(file.lines):
        raise wrong("lines", "two lines have the same name")
    numbers: set[int] = set()
    addresses: set[tuple[str, int]] = set()
    for index, point in enumerate(file.points):
        key = f"points[{index}]"
        if not 1 <= point.number <= MAX_POINTS or point.number in numbers:
            raise wrong(f"{key}.number", f"{point.number}: expected a number of its own, 1 to {MAX_POINTS}")
        if point.line not in lines:
            raise wrong(f"{key}.line", f"{point.line!r} is no line: expected one of {', '.join(sorted(lines))}")
        protocol = PROTOCOLS[lines[point.line]]
        if point.address not in protocol.addresses:
            expected = f"0x{protocol.addresses[0]:02X} to 0x{protocol.addresses[-1]:02X}"
            raise wrong(f"{key}.address", f"0x{point.address:02X}: expected {expected}")
        if (point.line, point.address) in addresses:
            raise wrong(f"{key}.address", f"0x{point.address:02X} is taken by another point of line {point.line!r}")
        nozzles_max = min(protocol.nozzles_max, MAX_NOZZLES)
        if not 1 <= len(point.nozzles) <= nozzles_max:
            raise wrong(f"{key}.nozzles", f"expected 1 to {nozzles_max} grade codes")
        for code in point.nozzles:
            if code not in grades:
                raise wrong(f"{key}.nozzles", f"{code!r} is no grade: expected one of {', '.join(sorted(grades))}")
        if point.amount_decimals > CURRENCIES[file.station.currency].decimals:
            raise wrong(f"{key}.amount_decimals", f"{point.amount_decimals}: more than {file.station.currency} has")
        if point.volume_decimals > VOLUME_DECIMALS_MAX:
            most = f"expected at most {VOLUME_DECIMALS_MAX}"
            raise wrong(f"{key}.volume_decimals", f"{point.volume_decimals}: {most}")
        _check_meters(key, point, wrong)
        _check_options(key, point, lines[point.line], wrong)
        numbers.add(point.number)
        addresses.add((point.line, point.address))
    return numbers


def _check_meters(key: str, point: PointTable, wrong: _Wrong) -> None:
    if point.totaliser_decimals > VOLUME_DECIMALS_MAX:
        most = f"expected at most {VOLUME_DECIMALS_MAX}"
        raise wrong(f"{key}.totaliser_decimals", f"{point.totaliser_decimals}: {most}")
    if point.totaliser_digits is not None and point.totaliser_digits not in TOTALISER_DIGITS:
        expected = f"{TOTALISER_DIGITS[0]} to {TOTALISER_DIGITS[-1]}, as many as the pump's counter has"
        raise wrong(f"{key}.totaliser_digits", f"{point.totaliser_digits}: expected {expected}")
    if point.flow_limit_ml_per_s <= 0:
        raise wrong(
            f"{key}.flow_limit_ml_per_s",
            f"{point.flow_limit_ml_per_s}: expected what the pump gives at most in a second, such as 2500",
        )


def _check_options(key: str, point: PointTable, speaks: str, wrong: _Wrong) -> None:
    for table, protocol in OPTIONS.items():
        if getattr(point, table) is not None and protocol != speaks:
            what = f"this is for {protocol} pumps, and line {point.line!r} speaks {speaks}: take it out"
            raise wrong(f"{key}.{table}", what)


def _readable(error: str, text: str) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.points[0].address`" as: points[0].address (line 12): ..."""
    what, _, where = error.partition(" - at `$")
    unknown = re.search(r"unknown field `([^`]+)`", what)
    key = where.rstrip("`").lstrip(".")
    if unknown:
        name = unknown.group(1)
        key = f"{key}.{name}".lstrip(".")
        what = "this key is not known here"
        if place := _line_of(name, text):
            return f"{key} (line {place}): {what}"
        return f"{key}: {what}"
    what = what.replace("`", "").replace("Object missing required field", "missing key:")
    place = _line_of(key.rsplit(".", 1)[-1].split("[")[0], text) if key else 0
    return f"{key or 'top level'}{f' (line {place})' if place else ''}: {what[0].lower()}{what[1:]}"


def _line_of(key: str, text: str) -> int:
    """The only line that sets `key`, counted from 1; 0 where there is none or several."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[*{re.escape(key)}\b", line)]
    return found[0] if len(found) == 1 else 0
