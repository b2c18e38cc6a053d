"""The simulated station that demo, bench and world share: what stands there, who buys there, with which card.

Only facts and files: knows no loop, no port and no process.
"""

from dataclasses import dataclass

from card_io.application import CardProfile
from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.dart.pump import DartSettings
from sim.cards.card import SimCard
from sim.cards.make import Masters, make_card
from sim.chance import Chance
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead

STATION_ID = "SIM-0001"
CURRENCY = CURRENCIES["TRY"]
PROFILE = CardProfile(bytes.fromhex("F50401"), b"forecourt-sim")
CARD_MASTER_BYTES = 16
ISSUER = "FLEETSIM"

GRADES = {"gasoline": ("Gasoline 95", "43.79"), "diesel": ("Diesel", "44.12"), "autogas": ("Autogas", "24.35")}
PRICES = {"gasoline": UnitPrice(4379, 2), "diesel": UnitPrice(4412, 2), "autogas": UnitPrice(2435, 2)}


@dataclass(frozen=True, slots=True)
class Place:
    """One fuelling point: its line, DART address and the grades of its nozzles."""

    number: int
    line: str
    address: int
    grades: tuple[str, ...]


PLACES = (
    Place(1, "east", 0x50, ("gasoline", "diesel")),
    Place(2, "east", 0x51, ("gasoline", "diesel")),
    Place(3, "west", 0x50, ("diesel", "gasoline")),
    Place(4, "west", 0x51, ("autogas",)),
)
"""Two dispensers of two sides each."""
LINES = ("east", "west")


@dataclass(frozen=True, slots=True)
class Holder:
    """A fleet vehicle: its plate, perhaps its card, and what the list says of it."""

    plate: str
    card_number: str
    account: str
    grades: tuple[str, ...]
    ask_plate: bool = False
    ask_odometer: bool = False
    stopped: bool = False


def holders() -> tuple[Holder, ...]:
    """The fleet vehicles of the simulated town. The first ones have cards, the last are known by their plate."""
    cards = [
        Holder("34 SIM 101", "9001000000000101", "KUZEY-LOJISTIK", ("diesel",)),
        Holder("34 SIM 102", "9001000000000102", "KUZEY-LOJISTIK", ("diesel",), ask_odometer=True),
        Holder("34 SIM 103", "9001000000000103", "KUZEY-LOJISTIK", ("diesel", "gasoline"), ask_plate=True),
        Holder("06 SIM 201", "9001000000000201", "ANKARA-TAKSI", ("autogas",)),
        Holder("06 SIM 202", "9001000000000202", "ANKARA-TAKSI", ("autogas", "gasoline")),
        Holder("35 SIM 301", "9001000000000301", "EGE-KURYE", ("gasoline",)),
        Holder("35 SIM 302", "9001000000000302", "EGE-KURYE", ("gasoline",), stopped=True),
        Holder("16 SIM 401", "", "BURSA-SU", ("diesel", "gasoline")),
        Holder("16 SIM 402", "", "BURSA-SU", ("autogas", "gasoline")),
    ]
    return tuple(cards)


def list_csv() -> str:
    """The whitelist of these vehicles, as `forecourt whitelist import` takes it."""
    lines = ["card,plate,account,status,products,only_plate,ask_odometer,fill_volume,day_volume"]
    for holder in holders():
        status = "stopped" if holder.stopped else "active"
        products = ";".join(holder.grades)
        only_plate = holder.plate if holder.ask_plate else ""
        odometer = "yes" if holder.ask_odometer else "no"
        plate = "" if holder.card_number else holder.plate
        lines.append(
            f"{holder.card_number},{plate},{holder.account},{status},{products},{only_plate},{odometer},60,2000"
        )
    return "\n".join(lines) + "\n"


def make_cards(master: bytes, chance: Chance) -> dict[str, SimCard]:
    """The fleet's cards by number."""
    masters = Masters(PROFILE, {1: master})
    made = {}
    for holder in holders():
        if holder.card_number:
            uid = b"\x04" + chance.random_bytes(6)
            made[holder.card_number] = make_card(holder.card_number, ISSUER, uid, masters, chance.random_bytes)
    return made


def make_twin(place: Place, *, flow_ml_per_s: int, start_ml: int = 0) -> DartTwin:
    """The simulated pump of a fuelling point. `start_ml`: what its totalisers already show."""
    nozzles = [HeadNozzle(grade, PRICES[grade], totaliser_ml=start_ml) for grade in place.grades]
    head = PumpHead(nozzles, CURRENCY, flow_ml_per_s=flow_ml_per_s)
    settings = DartSettings(address=place.address, currency=CURRENCY, nozzles=len(place.grades))
    return DartTwin(head, settings)


def station_toml(
    *,
    line_ports: dict[str, str],
    reader_ports: dict[int, str],
    printer_port: str | None,
    api_port: int,
    headquarters: str | None,
) -> str:
    """The station.toml of the simulated station, for the ports given."""
    parts = [
        "# The simulated station. SIMULATION stands on everything it shows and prints.",
        "[station]",
        f'id = "{STATION_ID}"',
        'name = "Forecourt Demo Station"',
        'address = ["1 Simulation Street"]',
        'currency = "TRY"',
        'time_zone = "Europe/Istanbul"',
        "simulated = true",
        "[api]",
        f"port = {api_port}",
        *(f'[[tills]]\nid = "{till}"\ntoken_file = "keys/{till}.token"' for till in ("till-1", "till-2")),
    ]
    if headquarters:
        parts += ["[headquarters]", f'url = "{headquarters}"']
    for code, (name, price) in GRADES.items():
        parts += ["[[grades]]", f'code = "{code}"', f'name = "{name}"', f'price = "{price}"']
    for line in LINES:
        parts += ["[[lines]]", f'name = "{line}"', 'protocol = "dart"', f'port = "{line_ports[line]}"']
    for place in PLACES:
        parts += [
            "[[points]]",
            f"number = {place.number}",
            f'line = "{place.line}"',
            f"address = 0x{place.address:02X}",
            f"nozzles = [{', '.join(repr(grade) for grade in place.grades)}]",
        ]
    if reader_ports:
        parts += ["[cards]", f'aid = "{PROFILE.aid.hex()}"', f'system = "{PROFILE.system_id.decode()}"']
    for point, address in reader_ports.items():
        parts += ["[[readers]]", f"point = {point}", 'kind = "tcp"', f'name = "{address}"']
    if printer_port:
        parts += ["[printer]", f'port = "{printer_port}"', 'model = "epson"', "hardware_flow = false"]
    return "\n".join(parts).replace("'", '"') + "\n"


def totaliser_ml(twins: dict[int, DartTwin], now_us: int) -> int:
    """All meters of all pumps together."""
    return sum(
        twin.head.totaliser_ml(nozzle, now_us)
        for twin in twins.values()
        for nozzle in range(1, len(twin.head.nozzles) + 1)
    )
