"""station.toml: the template is a station, and whatever is wrong is named by file, key and line."""

from pathlib import Path

import pytest

from controller.config import ApiTable, ConfigError, StationConfig, load, parse
from controller.domain.ladder import Ladder
from controller.domain.quantities import CURRENCIES, Unit, UnitPrice
from controller.install import template
from controller.pumps.core import LineSettings
from controller.pumps.digits import PumpDigits
from controller.pumps.options import DartOptions, PumpOptions, TwoWireOptions
from controller.pumps.protocols import PROTOCOLS, Setup
from controller.pumps.two_wire.pump import TwoWirePump
from controller.pumps.two_wire.settings import TwoWireSettings

PATH = Path("/srv/station/station.toml")
GOOD = template(simulated=False)


def uncommented() -> str:
    """The template with every option that it explains switched on."""
    lines = []
    for line in GOOD.splitlines():
        option = line.startswith("# ") and ("[" in line[:4] or "=" in line)
        lines.append(line[2:] if option else line)
    return "\n".join(lines).replace('model = "epson"                   # epson', 'model = "epson" # epson')


def with_(*changes: tuple[str, str], text: str = GOOD) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_the_template_is_a_station_with_defaults() -> None:
    config = parse(GOOD, PATH)
    assert isinstance(config, StationConfig)
    assert config.file.station.id == "TR-0001"
    assert config.currency == CURRENCIES["TRY"]
    assert config.zone.key == "Europe/Istanbul"
    assert config.file.api == ApiTable("127.0.0.1", 7733)
    assert config.file.headquarters is None
    assert config.file.printer is None
    assert config.file.readers == ()
    assert config.file.station.simulated is False
    assert config.grades["gasoline"].price == UnitPrice(4379, 2)
    assert config.grades["diesel"].unit is Unit.LITRE
    first, second = config.file.points
    assert (first.address, second.address) == (0x50, 0x51)
    assert (second.volume_decimals, second.totaliser_decimals) == (2, 2), "what is left out is two"
    assert config.data == PATH.parent / "data"
    assert config.keys == PATH.parent / "keys"


def test_the_template_with_all_its_options_switched_on_is_a_station_too() -> None:
    config = parse(uncommented(), PATH)
    assert config.file.headquarters is not None
    assert config.file.cards is not None
    assert config.file.printer is not None
    assert config.file.printer.model == "epson"
    assert [reader.point for reader in config.file.readers] == [1]


def test_a_simulated_station_says_so() -> None:
    assert parse(template(simulated=True), PATH).file.station.simulated is True


def test_a_short_file_is_enough_for_the_api(tmp_path: Path) -> None:
    start, rest = GOOD.split("[api]", 1)
    text = start + rest[rest.index("[[tills]]") :]
    path = tmp_path / "station.toml"
    path.write_text(text)
    assert load(path).file.api == ApiTable()


WRONG: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "no TOML": ((("[station]", "[station"),), "not TOML: .*line 4"),
    "an unknown key": ((("baud = 9600", "bauds = 9600"),), r"lines\[0\]\.bauds \(line \d+\): this key is not known"),
    "an unknown table": ((("[station]", "[pumps]\n[station]"),), r"pumps \(line 4\): this key is not known here"),
    "a number as text": ((("port = 7733", 'port = "7733"'),), "api.port: expected int, got str"),
    "text as a number": ((('id = "TR-0001"', "id = 1"),), "station.id: expected str, got int"),
    "a wrong word": (
        (('protocol = "dart"', 'protocol = "darts"'),),
        r"lines\[0\]\.protocol \(line \d+\): invalid enum",
    ),
    "a price as a number": ((('price = "44.12"', "price = 44.12"),), r"grades\[1\]\.price: expected str, got float"),
    "a missing key": ((('name = "My station"', ""),), r"station \(line 4\): missing key: name"),
    "an unknown unit": ((('unit = "l"', 'unit = "gallon"'),), r"grades\[0\]\.unit \(line \d+\): invalid enum value"),
    "a bad id": ((('id = "TR-0001"', 'id = "TR 1/2"'),), "station.id: 'TR 1/2': expected 1 to 32 letters"),
    "an unknown currency": (
        (('currency = "TRY"', 'currency = "USD"'),),
        "station.currency: 'USD': expected one of EUR, TRY, UAH, VND",
    ),
    "an unknown zone": ((("Europe/Istanbul", "Turkey/Ankara"),), "station.time_zone: .*such as Europe/Istanbul"),
    "a zone that is a folder": ((("Europe/Istanbul", "Europe"),), "station.time_zone: .*such as Europe/Istanbul"),
    "a zone outside": ((("Europe/Istanbul", "../../etc/passwd"),), "station.time_zone: "),
    "no zone": ((("Europe/Istanbul", ""),), "station.time_zone: "),
    "an hour that is none": (
        (("business_day_starts = 0", "business_day_starts = 24"),),
        "business_day_starts: 24: expected an hour, 0 to 23",
    ),
    "a port that is none": ((("port = 7733", "port = 77330"),), "api.port: 77330: expected a port"),
    "a grade twice": ((('code = "diesel"', 'code = "gasoline"'),), r"grades\[1\]\.code: 'gasoline' stands twice"),
    "a comma in a price": ((('"43.79"', '"43,79"'),), r"grades\[0\]\.price: .*write it in quotes"),
    "a price of nothing": ((('"43.79"', '"0.00"'),), r"grades\[0\]\.price: '0.00': expected a price above zero"),
    "a line twice": (
        (("[[points]]", '[[lines]]\nname = "east"\nprotocol = "dart"\nport = "x"\n[[points]]'),),
        "lines: two lines have the same name",
    ),
    "a port twice": (
        (("[[points]]", '[[lines]]\nname = "west"\nprotocol = "dart"\nport = "/dev/ttyUSB0"\n[[points]]'),),
        r"lines\[1\]\.port: '/dev/ttyUSB0': another line has it: expected a port of its own",
    ),
    "a serial server's port twice": (
        (
            ('"/dev/ttyUSB0"', '"rfc2217://moxa:4001"'),
            ("[[points]]", '[[lines]]\nname = "west"\nprotocol = "dart"\nport = "socket://Moxa:4001/"\n[[points]]'),
        ),
        r"lines\[1\]\.port: 'socket://Moxa:4001/': another line has it",
    ),
    "no speed": ((("baud = 9600", "baud = 0"),), r"lines\[0\]\.baud: 0: expected a speed such as 9600"),
    "no framing": (
        (("baud = 9600", 'framing = "8X1"'),),
        r"lines\[0\]\.framing: '8X1': expected data bits, parity and stop bits, such as",
    ),
    "a framing that loses a bit": (
        (("baud = 9600", 'framing = "7E1"'),),
        r"lines\[0\]\.framing: '7E1': the bytes of this protocol have 8 bits",
    ),
    "a slack of a minute": (
        (("baud = 9600", "slack_us = 60000000"),),
        r"lines\[0\]\.slack_us: 60000000: expected 0 to 500000 microseconds",
    ),
    "a table of another protocol": (
        (("address = 0x51\n", "address = 0x51\ntwo_wire = { old_board = true }\n"),),
        r"points\[1\]\.two_wire: this is for two-wire pumps, and line 'east' speaks dart: take it out",
    ),
    "a table of no protocol": (
        (("address = 0x51\n", "address = 0x51\nazt2 = {}\n"),),
        r"points\[1\]\.azt2 \(line \d+\): this key is not known here",
    ),
    "an unknown option": (
        (("address = 0x51\n", "address = 0x51\ndart = { old_board = true }\n"),),
        r"points\[1\]\.dart\.old_board.*: this key is not known here",
    ),
    "an option out of bounds": (
        (("address = 0x51\n", "address = 0x51\ndart = { display_hold_ms = -1 }\n"),),
        r"points\[1\]\.dart\.display_hold_ms.*: expected int >= 0",
    ),
    "a point twice": (
        (("number = 2", "number = 1"),),
        r"points\[1\]\.number: 1: expected a number of its own, 1 to 64",
    ),
    "a point too many": ((("number = 2", "number = 65"),), r"points\[1\]\.number: 65: "),
    "an unknown line": ((('line = "east"', 'line = "west"'),), r"points\[0\]\.line: 'west' is no line: .*east"),
    "an address outside": ((("0x51", "0x70"),), r"points\[1\]\.address: 0x70: expected 0x50 to 0x6F"),
    "an address twice": ((("0x51", "0x50"),), r"points\[1\]\.address: 0x50 is taken by another point of line 'east'"),
    "no nozzle": ((('nozzles = ["gasoline", "diesel"]', "nozzles = []"),), r"points\[0\]\.nozzles: expected 1 to 6"),
    "an unknown grade": (
        (('["gasoline", "diesel"]', '["kerosene"]'),),
        r"points\[0\]\.nozzles: 'kerosene' is no grade",
    ),
    "too fine money": ((("amount_decimals = 2", "amount_decimals = 3"),), r"amount_decimals: 3: more than TRY has"),
    "too fine volume": ((("volume_decimals = 2", "volume_decimals = 4"),), "volume_decimals: 4: expected at most 3"),
    "too fine totalisers": (
        (("totaliser_decimals = 2", "totaliser_decimals = 4"),),
        "totaliser_decimals: 4: expected at",
    ),
    "a totaliser of no digits": (
        (("flow_limit_ml_per_s = 2500", "totaliser_digits = 2"),),
        "totaliser_digits: 2: expected 4 to 14",
    ),
    "a pump that gives nothing": (
        (("flow_limit_ml_per_s = 2500", "flow_limit_ml_per_s = 0"),),
        "flow_limit_ml_per_s: 0: expected what the pump gives",
    ),
    "a reader of no point": ((("point = 1\n", "point = 9\n"),), r"readers\[0\]\.point: 9 is no point"),
    "two readers at a point": (
        (("[[readers]]", '[[readers]]\npoint = 1\nkind = "pcsc"\nname = "A"\n[[readers]]'),),
        r"readers\[1\]\.point: point 1 has a reader already",
    ),
    "one reader at a point and at a till": (
        (("[[readers]]", '[[readers]]\ntill = "till-1"\nkind = "pcsc"\nname = "ACR122U"\n[[readers]]'),),
        r"readers\[1\]\.name: 'ACR122U' stands at another place already: one card would open two pumps",
    ),
    "a reader of a till that is none": (
        (("point = 1\nkind", 'till = "till-9"\nkind'),),
        r"readers\[0\]\.till: 'till-9' is no till",
    ),
    "a reader of both": (
        (("point = 1\nkind", 'point = 1\ntill = "till-1"\nkind'),),
        r"readers\[0\]: expected a point or a till",
    ),
    "a purse without a number": (
        (("[cards]", "[cards]\npurse = true"),),
        r"cards\.station_number: expected the number",
    ),
    "a number that no card holds": ((("[cards]", "[cards]\nstation_number = 4294967296"),), "expected 1 to 4294967295"),
    "a set of no grade": (
        (("[cards]", '[cards]\nproduct_sets = { truck = ["milk"] }'),),
        r"cards\.product_sets\.truck: 'milk' is no grade",
    ),
    "a key slot that no station reads with": (
        (("[cards]", "[cards]\nread_key_number = 2"),),
        r"cards\.read_key_number: 2: expected 1, or 5 to 9 for another acquirer's cards",
    ),
    "a guest with purses": (
        (("[cards]", "[cards]\npurse = true\nstation_number = 4\nread_key_number = 5"),),
        r"cards\.purse: true, and another acquirer's cards",
    ),
    "readers without cards": (
        (("[cards]", ""), ('aid = "F50401"', ""), ('system = "forecourt"', "")),
        "cards: expected this table, with aid and system",
    ),
    "a bad aid": ((('"F50401"', '"F504"'),), "cards.aid: 'F504': expected 6 hex digits"),
    "paper too narrow": ((("width = 42", "width = 10"),), "printer.width: 10: expected at least 24 letters a line"),
    "no printer speed": ((("baud = 19200", "baud = -1"),), "printer.baud: -1: expected a speed such as 19200"),
    "a till twice": ((('id = "till-2"', 'id = "till-1"'),), "tills: two tills have the same id"),
    "a till without a name": ((('id = "till-2"', 'id = ""'),), "tills: a till's id is empty"),
    "a token twice": ((("keys/till-2.token", "keys/till-1.token"),), "tills: two tills have the same token_file"),
}


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(changes: tuple[tuple[str, str], ...], said: str) -> None:
    text = GOOD if all(old in GOOD for old, _ in changes) and "#" not in changes[0][0] else uncommented()
    if changes[0][0] in (
        "point = 1\n",
        "point = 1\nkind",
        "[[readers]]",
        "[cards]",
        '"F50401"',
        "width = 42",
        "baud = 19200",
    ):
        text = uncommented()
    with pytest.raises(ConfigError, match=said) as caught:
        parse(with_(*changes, text=text), PATH)
    assert str(caught.value).startswith(f"{PATH}: ")
    assert "\n" not in str(caught.value)


def test_no_till_means_nobody_can_give_a_command() -> None:
    start, rest = GOOD.split("[[tills]]", 1)
    text = "tills = []\n" + start + rest[rest.index("# [headquarters]") :]
    with pytest.raises(ConfigError, match="tills: expected at least one till"):
        parse(text, PATH)


def test_a_file_that_is_not_there_is_named_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"station\.toml cannot be read \(No such file.*forecourt station init DIR"):
        load(tmp_path / "station.toml")


def test_a_file_in_another_alphabet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_bytes(GOOD.replace("My station", "Şişli").encode("iso8859-9"))
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(path)


def test_a_pump_for_dong_counts_whole_dong() -> None:
    text = with_(('currency = "TRY"', 'currency = "VND"'))
    with pytest.raises(ConfigError, match=r"points\[0\]\.amount_decimals: 2: more than VND has"):
        parse(text, PATH)
    assert (
        parse(
            text.replace("amount_decimals = 2", "amount_decimals = 0").replace(
                "address = 0x51\n", "address = 0x51\namount_decimals = 0\n"
            ),
            PATH,
        ).currency.decimals
        == 0
    )


def station_of(protocol: str, line: str = "", point: str = "") -> StationConfig:
    """The template's station with its line of another protocol."""
    text = with_(
        ('protocol = "dart"', f'protocol = "{protocol}"'),
        ("baud = 9600", line),
        ("address = 0x50 ", f"{point}\naddress = 1 "),
        ("address = 0x51\n", "address = 2\n"),
        ('nozzles = ["gasoline", "diesel"]    # grades', 'nozzles = ["gasoline"] # grades'),
        ('nozzles = ["gasoline", "diesel"]\n', 'nozzles = ["diesel"]\n'),
    )
    return parse(text, PATH)


@pytest.mark.parametrize(
    ("protocol", "line", "settings"),
    [
        ("two-wire", "", LineSettings(5_787, 8, "E", 1)),
        ("two-wire", 'baud = 5760\nframing = "8O1"', LineSettings(5_760, 8, "O", 1)),
        ("azt2", "", LineSettings(4_800, 7, "E", 2)),
        ("azt2", 'framing = "8N1"', LineSettings(4_800, 8, "N", 1)),
    ],
)
def test_a_line_is_as_its_protocol_has_it_unless_the_file_says_otherwise(
    protocol: str, line: str, settings: LineSettings
) -> None:
    (table,) = station_of(protocol, line).file.lines
    assert table.settings == settings
    assert table.slack_us is None


def test_what_a_converter_holds_back_is_said_in_microseconds() -> None:
    (table,) = station_of("azt2", "slack_us = 0").file.lines
    assert table.slack_us == 0


def test_a_two_wire_point_has_options_of_its_own_and_the_next_one_the_usual_ones() -> None:
    options = "old_board = true, six_digit_money = true, price_levels = 2, preset_volume_decimals = 1"
    config = station_of("two-wire", point=f"two_wire = {{ {options} }}")
    old, usual = (
        PROTOCOLS["two-wire"].core(
            Setup(
                address=point.address,
                nozzles=len(point.nozzles),
                digits=point.digits(config.currency),
                options=point.options,
            )
        )
        for point in config.file.points
    )
    assert isinstance(old, TwoWirePump)
    assert isinstance(usual, TwoWirePump)
    assert old.settings == TwoWireSettings(
        pump_id=1,
        currency=config.currency,
        old_board=True,
        six_digit_money=True,
        price_levels=2,
        preset_volume_decimals=1,
    )
    assert usual.settings == TwoWireSettings(pump_id=2, currency=config.currency)


def test_a_dart_point_says_how_long_a_delivery_is_shown() -> None:
    config = parse(with_(("address = 0x51\n", "address = 0x51\ndart = { display_hold_ms = 0 }\n")), PATH)
    assert [point.options for point in config.file.points] == [None, DartOptions(display_hold_ms=0)]


@pytest.mark.parametrize(("protocol", "kind"), [("two-wire", DartOptions), ("dart", TwoWireOptions)])
def test_a_pump_is_never_made_with_the_options_of_another_protocol(protocol: str, kind: type[PumpOptions]) -> None:
    row = PROTOCOLS[protocol]
    digits = PumpDigits(currency=CURRENCIES["TRY"])
    with pytest.raises(TypeError, match=rf"{kind.__name__} given"):
        row.core(Setup(address=row.addresses[0], nozzles=1, digits=digits, options=kind()))


def test_limits_while_headquarters_is_away_are_as_written() -> None:
    rules = parse(GOOD, PATH).file.limits.rules
    assert (rules.ladder, rules.overrun_ml, rules.odometer_km_a_day) == (Ladder(), 100, 2_000)
    given = "[limits]\nladder = [[6, 100], [48, 50]]\nfloor_percent = 0\noverrun_ml = 50\n"
    rules = parse(f"{GOOD}\n{given}", PATH).file.limits.rules
    assert [rules.ladder.percent(hours * 3_600_000) for hours in (0, 6, 47, 48)] == [100, 50, 50, 0]
    assert rules.ladder.percent(None) == 100


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("ladder = [[12, 70], [6, 50]]", "limits.ladder: .*the hours growing"),
        ("ladder = [[0, 70]]", "limits.ladder: .*the hours growing"),
        ("ladder = [[12, 50], [24, 70]]", "limits.ladder: .*from 100 down"),
        ("floor_percent = 80", "limits.ladder: .*from 100 down"),
        ("ladder = [[12, 120]]", "limits.ladder: .*from 100 down"),
        ("odometer_km_a_day = -1", "limits.odometer_km_a_day: -1: expected 1 to 100000, or 0"),
        ("overrun_ml = -1", "limits.overrun_ml: -1: expected 0 to"),
    ],
)
def test_limits_that_cannot_be_are_named(table: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"{GOOD}\n[limits]\n{table}\n", PATH)


def test_the_example_of_a_card_purse_is_a_station() -> None:
    page = (Path(__file__).parent.parent / "docs" / "cards-at-the-pump.md").read_text(encoding="utf-8")
    lines = page.partition("    [cards]\n")[2].splitlines()
    example = "\n".join(line.strip() for line in lines[: lines.index("")])
    cards = parse(f"{GOOD}\n[cards]\n{example}\n", PATH).file.cards
    assert cards is not None
    assert (cards.station_number, cards.purse, cards.product_sets) == (4711, True, {"truck": ("diesel",)})
