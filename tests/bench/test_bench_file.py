"""bench.toml describes any bench; what is wrong in one is said with file and key."""

from pathlib import Path

import pytest

from controller.domain.quantities import CURRENCIES
from controller.pumps.core import LineSettings
from controller.pumps.digits import PumpDigits
from controller.pumps.two_wire.settings import TwoWireSettings
from sim.bench import Bench
from sim.bench_file import BenchError, BenchPlan, parse
from sim.pumps.azt2 import AztTwin
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.protocols import PROTOCOLS, Make, ProtocolError, protocol
from sim.pumps.two_wire import TwoWireTwin
from tests.bench.clocks import HandClock

PATH = Path("/somewhere/bench.toml")
LINE = '[[lines]]\nname = "north"\n'
PUMP = '[[pumps]]\nnumber = 7\nline = "north"\naddress = 0x52\nnozzles = [{grade = "diesel", price = "44.12"}]\n'
EVERYTHING = """
currency = "UAH"
reader_ports = []
printer = "none"

[[lines]]
name = "north"
protocol = "dart"
transport = "tcp"
port = 4001
baud = 19200
framing = "8N1"
slack_us = 5000
pace = true

[[lines]]
name = "south"
protocol = "two-wire"
transport = "rfc2217"

[[lines]]
name = "yard"
protocol = "azt2"

[[pumps]]
number = 7
line = "north"
address = 0x52
nozzles = [
    { grade = "diesel", price = "44.12", totaliser_ml = 990, totaliser_minor = 4300 },
    { grade = "gasoline", price = "43.79" },
]
flow_ml_per_s = 900
slow_ml_per_s = 50
slow_band_ml = 0
undershoot_ml = 20
totaliser_modulo_ml = 1000
latency_ms = 40
programmed = false
options = { wrap_to = 0, sends_filling = false, has_totals = false }

[[pumps]]
number = 8
line = "south"
address = 3
nozzles = [{ grade = "autogas", price = "24.35" }]
totaliser_decimals = 1
options = { words = 39, old_board = true, preset_volume_decimals = 1, price_levels = 2, six_digit_money = true }

[[pumps]]
number = 9
line = "yard"
address = 16
nozzles = [{ grade = "diesel", price = "52.99" }]
programmed = false
options = { full_at_rest = false, lacks = ["totals", "version"] }
"""


def plan_of(text: str) -> BenchPlan:
    return parse(text, PATH)


def test_an_empty_file_is_the_station_of_the_demonstration() -> None:
    plan = plan_of("")
    assert [(line.table.name, line.table.transport, line.protocol.name) for line in plan.lines] == [
        ("east", "pty", "dart"),
        ("west", "pty", "dart"),
    ]
    assert [(pump.place.number, pump.place.line, pump.place.address) for pump in plan.pumps] == [
        (1, "east", 0x50),
        (2, "east", 0x51),
        (3, "west", 0x50),
        (4, "west", 0x51),
    ]
    assert [str(nozzle.price) for nozzle in plan.pumps[0].twin.head.nozzles] == ["43.79", "44.12"]
    assert plan.reader_ports == {1: 0, 2: 0, 3: 0, 4: 0}


def test_a_file_can_say_everything_of_a_bench() -> None:
    plan = plan_of(EVERYTHING)
    north, south, yard = plan.lines
    assert north.settings == LineSettings(19_200, 8, "N", 1)
    assert north.table.slack_us == 5_000
    assert north.table.pace
    assert south.settings == LineSettings(5_787, 8, "E", 1)
    assert yard.settings == LineSettings(4_800, 7, "E", 2)
    assert plan.reader_ports == {}
    dart, two_wire, azt = (pump.twin for pump in plan.pumps)
    assert isinstance(dart, DartTwin)
    assert isinstance(two_wire, TwoWireTwin)
    assert isinstance(azt, AztTwin)
    assert dart.reply_latency_us == 40_000
    assert dart.state.name == "NOT_PROGRAMMED"
    assert dart.head.overrun_ml == -20
    assert dart.head.currency is CURRENCIES["UAH"]
    assert dart.head.totaliser_minor(1, 0) == 4_300
    assert two_wire.settings == TwoWireSettings(
        pump_id=3,
        currency=CURRENCIES["UAH"],
        wide=True,
        old_board=True,
        six_digit_money=True,
        price_levels=2,
        preset_volume_decimals=1,
        total_decimals=1,
    )
    assert azt.settings.channel == 16
    assert azt.receive(bytes.fromhex("7f 07 21 5e 50 2f 03 03 72"), 1) == bytes.fromhex("7f 15"), "no version"
    assert azt.head.price(1).value == 0, "it has no word for a price that nobody set"


def test_a_totaliser_rolls_over_where_the_file_says() -> None:
    head = plan_of(EVERYTHING).pumps[0].twin.head
    head.lift(1, 0)
    head.permit((1,), 0)
    head.squeeze(30, 0)
    assert head.totaliser_ml(1, 10_000_000) == 20


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = ", "not TOML"),
        ('seed = "one"', "seed: expected int, got str"),
        ("sead = 1", "sead: this key is not known here"),
        ("flow_ml_per_s = 0", "flow_ml_per_s: 0: expected a number above zero"),
        ('currency = "XYZ"', "currency: 'XYZ': expected one of"),
        ("control_port = 70000", "control_port: 70000: expected a port"),
        ("reader_ports = [0, 0]", "reader_ports: expected 4 ports"),
        ("[customers]", "card_keys: customers need"),
        (PUMP, "lines: expected [[lines]]"),
        (LINE, "pumps: expected [[pumps]]"),
        (LINE + 'transprot = "tcp"\n' + PUMP, "lines[0].transprot: this key is not known here"),
        (LINE + 'transport = "ip"\n' + PUMP, "lines[0].transport: invalid enum value 'ip'"),
        (LINE + 'protocol = "ifsf"\n' + PUMP, "lines[0].protocol: 'ifsf' is no pump protocol: expected one of dart"),
        (LINE + "port = 4001\n" + PUMP, "lines[0].port: a pseudo terminal has no port"),
        (LINE + 'transport = "tcp"\nport = "x"\n' + PUMP, "lines[0].port: 'x': expected a TCP port"),
        (LINE + 'transport = "serial"\nport = 3\n' + PUMP, "lines[0].port: 3: expected a serial device"),
        (LINE + "baud = 1\n" + PUMP, "lines[0].baud: 1: expected 300 to"),
        (LINE + 'framing = "9N1"\n' + PUMP, "lines[0].framing: '9N1': expected data bits, parity and stop bits"),
        (LINE + 'framing = "7O1"\n' + PUMP, "lines[0].framing: '7O1': the bytes of this protocol have 8 bits"),
        (LINE + "slack_us = -1\n" + PUMP, "lines[0].slack_us: -1: expected 0 to 500000"),
        (LINE + LINE + PUMP, "lines[1].name: 'north' stands twice"),
        (LINE.replace("north", "control") + PUMP, "lines[0].name: 'control': expected"),
        (LINE + PUMP.replace("number = 7\n", ""), "pumps[0].number: this key is missing"),
        (LINE + PUMP.replace("north", "nord"), "pumps[0].line: 'nord' is no line: expected one of north"),
        (LINE + PUMP + PUMP, "pumps[1].number: 7: expected a number of its own"),
        (LINE + PUMP + PUMP.replace("7", "8"), "pumps[1].address: 0x52 is taken by another pump"),
        (LINE + PUMP.replace("0x52", "0x40"), "pumps[0]: DART address 0x40: set one of 0x50 to 0x6F"),
        (LINE + PUMP.replace("44.12", "44,12"), "pumps[0].nozzles[0].price: '44,12' is not a plain decimal number"),
        (LINE + PUMP.replace('"}', '", totaliser_ml = -1}'), "pumps[0].nozzles[0].totaliser_ml: -1: expected 0 to"),
        (LINE + PUMP.replace('"}', '", totaliser_minor = -1}'), "pumps[0].nozzles[0].totaliser_minor: -1: expected no"),
        (LINE + PUMP + "slow_band_ml = -1", "pumps[0].slow_band_ml: -1: expected no less than zero"),
        (LINE + PUMP + "latency_ms = 81", "pumps[0].latency_ms: 81: expected 0 to 80"),
        (LINE + PUMP + "overrun_ml = 5\nundershoot_ml = 5", "pumps[0].overrun_ml: a pump stops too late or too early"),
        (LINE + PUMP + "options = {wrap_to = 2}", "pumps[0]: options: Invalid enum value 2 - at `$.wrap_to`"),
        (LINE + PUMP + "options = {words = 33}", "dart knows: wrap_to, sends_filling, has_totals"),
        (
            LINE + 'protocol = "azt2"\n' + PUMP.replace("0x52", "1") + 'options = {lacks = ["dance"]}',
            "pumps[0]: options: lacks: 'dance': expected some of status, authorise",
        ),
        (LINE + PUMP + "volume_decimals = 4", "pumps[0]: volumes are counted in thousandths"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text: str, says: str) -> None:
    with pytest.raises(BenchError) as caught:
        plan_of(text)
    assert str(caught.value).startswith(f"{PATH}: ")
    assert says in str(caught.value)


def test_a_real_serial_device_is_refused_unless_it_is_meant() -> None:
    plan = plan_of(LINE + 'transport = "serial"\nport = "/dev/ttyUSB0"\n' + PUMP)
    with pytest.raises(BenchError, match=r"lines\[0\].transport: this opens the real device /dev/ttyUSB0.*--real-port"):
        Bench(plan, HandClock())
    assert Bench(plan, HandClock(), real_port=True).twins.keys() == {7}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_makes_a_pump_that_answers(name: str) -> None:
    speaks = protocol(name)
    head = PumpHead([HeadNozzle("diesel", plan_of("").pumps[0].twin.head.price(1))], CURRENCIES["TRY"])
    address = 0x50 if name == "dart" else 1
    twin = speaks.make(head, Make(address=address, digits=PumpDigits(currency=CURRENCIES["TRY"]), latency_us=7_000))
    poll = {
        "dart": "50 20 fa",
        "two-wire": "01",
        "azt2": "7f 02 21 5e 31 4e 03 03 53",
    }[name]
    data = bytes.fromhex(poll)
    assert [speaks.complete(data[:end]) for end in range(1, len(data) + 1)] == [False] * (len(data) - 1) + [True]
    assert twin.hears(data)
    assert twin.receive(data, 1_000)
    assert twin.reply_latency_us == 7_000


@pytest.mark.parametrize(
    ("name", "block", "ack"),
    [
        ("two-wire", "ff e5 f4 f6 e0 f7 e4 e3 e2 e1 fb e6 f0", "d1"),
        ("azt2", "7f 02 30 4f 03 03 73", "7f 06"),
    ],
)
def test_a_wrong_check_sum_and_an_acknowledgement_are_known_in_every_protocol(name: str, block: str, ack: str) -> None:
    marks = protocol(name).marks
    right = bytes.fromhex(block)
    wrong = marks.spoil_sum(right)
    assert wrong is not None
    assert len(wrong) == len(right)
    assert wrong != right
    assert marks.is_ack(bytes.fromhex(ack))
    assert not marks.is_ack(right)
    assert marks.spoil_sum(bytes.fromhex(ack)) is None


def test_a_protocol_whose_pumps_are_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise ImportError("no", name="sim.pumps.ifsf")

    monkeypatch.setitem(PROTOCOLS, "ifsf", absent)
    with pytest.raises(ProtocolError, match=r"simulated ifsf pumps are not part of this version \(sim.pumps.ifsf"):
        protocol("ifsf")
