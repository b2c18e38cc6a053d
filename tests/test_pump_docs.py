"""docs/pumps.md says what is true: its table, its snippets and its skeleton are held against the program."""

import inspect
import re
import runpy
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from controller.config import MAX_NOZZLES, LineTable, StationConfig, parse
from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.core import PumpCore, StopsAll
from controller.pumps.decoded import Direction
from controller.pumps.digits import PumpDigits
from controller.pumps.protocols import PROTOCOLS, Setup
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import (
    Authorise,
    Completed,
    Fuelling,
    Identify,
    Identity,
    Idle,
    LinkFault,
    Offline,
    Online,
    Order,
    Preset,
    PumpEvent,
    ReadTotals,
    Refusal,
    Refused,
    SetPrices,
    Stop,
    Suspend,
    Suspended,
    Totals,
)
from controller.wire.decode import Ear
from controller.wire.protocols import PROTOCOLS as WIRE
from sim.bench_file import BenchFile
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import Twin
from sim.pumps.protocols import PROTOCOLS as SIMULATED
from sim.pumps.protocols import Make, protocol
from tests.pumps import acme_pump
from tests.pumps.acme_pump import IDLE, MISSED_MAX, POLL, RUNNING, STOP, AcmePump

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "pumps.md"
TEXT = PAGE.read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?:^    .*\n|^\n+(?=    ))+", re.MULTILINE)
HEAD = """
[station]
id = "T-1"
name = "Test"
currency = "{currency}"
time_zone = "Europe/Istanbul"

[[tills]]
id = "till-1"
token_file = "keys/till-1.token"

[[grades]]
code = "gasoline"
name = "Gasoline 95"
price = "43.79"

[[grades]]
code = "diesel"
name = "Diesel"
price = "44.12"
"""
LIRA = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
LITRES_ML = 20_000
BEFORE_US, NOW_US = 0, 1
"""An order goes out with the first turn after it."""


def blocks(begins: str) -> list[str]:
    """The indented blocks that begin so, without their indentation."""
    found = (textwrap.dedent(block) for block in _BLOCK.findall(TEXT))
    return [block.strip("\n") + "\n" for block in found if block.lstrip("\n").startswith(begins)]


def parsed(block: str) -> StationConfig:
    currency = next((code for word, code in (("dong", "VND"), ("hryvnia", "UAH")) if word in block), "TRY")
    return parse(HEAD.format(currency=currency) + block, PAGE)


# ---- the table


def test_the_table_of_abilities_is_the_protocols_own() -> None:
    script = runpy.run_path(str(ROOT / "tools" / "abilities.py"))
    assert script["page"](TEXT) == TEXT, "run .venv/bin/python tools/abilities.py"
    for name in PROTOCOLS:
        assert f"`{name}`" in script["table"]()
    with pytest.raises(ValueError, match="no place for the table"):
        script["page"]("# A page without the marks\n")


def test_a_protocol_stands_in_every_table_under_one_name() -> None:
    in_file = get_args(get_type_hints(LineTable)["protocol"])
    assert set(in_file) == set(PROTOCOLS) == set(WIRE) == set(SIMULATED)
    for name, row in PROTOCOLS.items():
        assert row.line == WIRE[name].line() == protocol(name).line
        assert row.abilities.pumps_max == len(row.addresses)
        assert 1 <= row.nozzles_max <= row.abilities.nozzles_max


# ---- the snippets


def test_the_snippets_are_found() -> None:
    assert len(blocks("# station.toml")) >= 5
    assert len(blocks("# bench.toml")) == 1


@pytest.mark.parametrize("block", blocks("# station.toml"), ids=lambda block: block.splitlines()[0][2:])
def test_a_snippet_of_station_toml_can_be_used(block: str) -> None:
    config = parsed(block)
    for point in config.file.points:
        line = next(line for line in config.file.lines if line.name == point.line)
        assert line.settings.baud == line.baud or line.baud is None
        setup = Setup(
            address=point.address,
            nozzles=len(point.nozzles),
            digits=point.digits(config.currency),
            options=point.options,
        )
        assert PROTOCOLS[line.protocol].core(setup).name


def test_the_snippets_show_every_protocol() -> None:
    shown = {line.protocol for block in blocks("# station.toml") for line in parsed(block).file.lines}
    assert shown == set(PROTOCOLS)


def test_the_snippet_of_bench_toml_can_be_used() -> None:
    (block,) = blocks("# bench.toml")
    bench = msgspec.convert(tomllib.loads(block), BenchFile)
    assert [(line.transport, line.pace) for line in bench.lines] == [("serial", None)]


@pytest.mark.parametrize(
    "key", ["framing", "slack_us", "baud", "two_wire", "dart", "totaliser_digits", "price_decimals", "nozzles"]
)
def test_the_keys_that_the_page_names_are_there(key: str) -> None:
    assert re.search(rf"`[^`]*\b{key}\b", TEXT)
    point = parsed(blocks("# station.toml")[0]).file.points[0]
    assert hasattr(point, key) or key in LineTable.__struct_fields__


def test_prices_below_zero_decimals_are_worth_what_the_page_says() -> None:
    block = next(block for block in blocks("# station.toml") if "dong" in block)
    config = parsed(block)
    digits = config.file.points[0].digits(config.currency)
    assert digits.price_digits(UnitPrice(23_500, 0), most=9_999) == 2_350
    assert digits.amount_minor(1) == 100


# ---- the abilities: what the table says, the cores and twins do


@dataclass
class Pair:
    """One core of a protocol and its simulated pump, turn by turn. `said`: the names of the values of its answers."""

    core: PumpCore
    twin: Twin
    ear: Ear
    now_us: int = 1_000_000
    said: set[str] = field(default_factory=set)

    def turns(self, count: int = 60) -> list[PumpEvent]:
        told: list[PumpEvent] = []
        for _ in range(count):
            turn = self.core.next_turn(self.now_us)
            self.now_us += turn.gap_us
            answer = self.twin.receive(turn.data, self.now_us) if self.twin.hears(turn.data) else b""
            self.now_us += 40_000
            self.core.received(answer if turn.window_us else b"", self.now_us)
            self._listen(turn.data, answer)
            told += self.core.events()
        return told

    def _listen(self, question: bytes, answer: bytes) -> None:
        self.ear.hear(question, Direction.TO_PUMP)
        for frame in self.ear.hear(answer, Direction.TO_MASTER):
            self.said |= {value for part in frame.transactions for value in part.values}

    def after(self, order: Order, count: int = 60) -> list[PumpEvent]:
        self.core.submit(order, self.now_us)
        return self.turns(count)


def pair(name: str, nozzles: int = 1) -> Pair:
    """At rest."""
    row = PROTOCOLS[name]
    head = PumpHead([HeadNozzle("gasoline", PRICE, 5_000) for _ in range(nozzles)], LIRA, flow_ml_per_s=10_000)
    address, digits = row.addresses[0], PumpDigits(currency=LIRA)
    twin = protocol(name).make(head, Make(address=address, digits=digits))
    made = Pair(row.core(Setup(address=address, nozzles=nozzles, digits=digits)), twin, Ear(WIRE[name]))
    told = made.turns()
    assert Online() in told
    assert Idle() in told
    return made


def fuelling(name: str, preset: Preset | None = None) -> Pair:
    """A nozzle is lifted, the pump is let go, and fuel runs."""
    made = pair(name)
    made.twin.head.lift(1, made.now_us)
    made.turns()
    told = made.after(Authorise((1,), preset, PRICE), 4)
    made.twin.head.squeeze(LITRES_ML, made.now_us)
    assert not [event for event in told if isinstance(event, Refused)]
    return made


def end(made: Pair) -> Completed:
    told = made.turns(400)
    made.twin.head.hang_up(made.now_us)
    told += made.turns(100)
    return next(event for event in told if isinstance(event, Completed))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_holding_is_done_or_answered_unsupported(name: str) -> None:
    made = fuelling(name)
    made.turns(20)
    told = made.after(Suspend(), 40)
    if PROTOCOLS[name].abilities.suspend:
        assert Suspended() in told
    else:
        assert Refused(Suspend(), Refusal.UNSUPPORTED) in told


@pytest.mark.parametrize("name", PROTOCOLS)
def test_totals_identity_and_prices_are_given_where_the_table_says_so(name: str) -> None:
    made, can = pair(name), PROTOCOLS[name].abilities
    assert any(isinstance(event, Totals) and event.asked for event in made.after(ReadTotals(1))) == can.volume_totals
    assert any(isinstance(event, Identity) for event in made.after(Identify())) == can.identity
    dearer = UnitPrice(4_400, 2)
    made.after(SetPrices((dearer,)))
    assert (made.twin.head.price(1) == dearer) == can.set_prices


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_preset_of_money_is_never_passed(name: str) -> None:
    """Nor by what is lost where it becomes one of volume."""
    sold = end(fuelling(name, Preset(amount_minor=50_000)))
    if PROTOCOLS[name].abilities.preset_amount:
        assert sold.amount_minor == 50_000
    else:
        assert (sold.volume_ml, sold.amount_minor) == (11_410, 49_964)
        assert "11.41 l, and costs 499.64" in " ".join(TEXT.split())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_preset_of_volume_is_reached(name: str) -> None:
    assert PROTOCOLS[name].abilities.preset_volume
    assert end(fuelling(name, Preset(volume_ml=7_000))).volume_ml == 7_000


@pytest.mark.parametrize("name", PROTOCOLS)
def test_volume_and_money_are_shown_while_it_runs_said_or_reckoned(name: str) -> None:
    made, can = fuelling(name), PROTOCOLS[name].abilities
    made.turns(10)
    made.said.clear()
    shown = [event for event in made.turns(20) if isinstance(event, Fuelling)]
    assert shown[-1].volume_ml > 0
    assert shown[-1].amount_minor > 0
    assert made.said & {"volume", "amount"} == {
        value for value, said in (("volume", can.running_volume), ("amount", can.running_amount)) if said
    }


@pytest.mark.parametrize("name", PROTOCOLS)
def test_some_nozzles_and_not_the_others_are_let_go_where_the_table_says_so(name: str) -> None:
    can = PROTOCOLS[name].abilities
    some = Authorise((1, 2), None, PRICE)
    made = pair(name, min(3, can.nozzles_max))
    assert (Refused(some, Refusal.UNSUPPORTED) in made.after(some)) == (not can.choice_of_nozzles)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_one_transmission_stops_all_where_the_table_says_so(name: str) -> None:
    core = pair(name).core
    assert (isinstance(core, StopsAll) and core.stop_all_turn() is not None) == PROTOCOLS[name].abilities.stop_all


# ---- the skeleton


def test_the_skeleton_in_the_page_is_the_module_that_is_checked() -> None:
    assert blocks('"""An ACME pump') == [Path(acme_pump.__file__).read_text(encoding="utf-8")]


def test_the_skeleton_has_every_member_of_the_protocol_and_the_page_explains_each() -> None:
    core: PumpCore = AcmePump(1)  # for mypy
    for name in members(PumpCore):
        assert hasattr(core, name)
        promised = getattr(PumpCore, name)
        if not isinstance(promised, property):
            assert inspect.signature(getattr(AcmePump, name)) == inspect.signature(promised)
        assert re.search(rf"^\| `{name}[`(]", TEXT, re.MULTILINE), f"{name} is not explained"
    assert re.search(r"^\| `stop_all_turn\(\)`", TEXT, re.MULTILINE)


def members(kind: type) -> Iterator[str]:
    return (name for name in vars(kind) if not name.startswith("_"))


def test_the_skeleton_runs_on_a_line() -> None:
    line = LineSchedule({7: AcmePump(1)})
    assert said(line, IDLE) == [(POLL, [Online(), Idle()])]
    assert line.quiet_cycle(NOW_US) is not None
    assert said(line, RUNNING) == [(POLL, [])]
    assert line.quiet_cycle(NOW_US) is None
    line.submit(7, Stop(), BEFORE_US)
    line.submit(7, Suspend(), BEFORE_US)
    assert said(line, RUNNING, IDLE, IDLE) == [
        (STOP, [Refused(Suspend(), Refusal.UNSUPPORTED)]),
        (STOP, [Idle()]),
        (POLL, []),
    ]
    assert said(line, b"\xff") == [(POLL, [LinkFault("no_status", "ff")])]
    assert said(line, *[b""] * (MISSED_MAX - 1))[-1] == (POLL, [Offline()])
    line.submit(7, Suspend(), BEFORE_US)
    assert said(line, IDLE) == [(POLL, [Refused(Suspend(), Refusal.OFFLINE), Online(), Idle()])]


def said(line: LineSchedule, *answers: bytes) -> list[tuple[bytes, list[PumpEvent]]]:
    """To each answer, what was sent to the pump before it, and what was told after it."""
    found = []
    for answer in answers:
        _, turn = line.next(NOW_US)
        line.answered(answer, NOW_US)
        found.append((turn.data[1:], [event for _, event in line.events()]))
    return found


def test_the_number_of_grades_that_the_page_names_is_the_stations() -> None:
    assert f"up to {min(PROTOCOLS['two-wire'].nozzles_max, MAX_NOZZLES)}," in TEXT
