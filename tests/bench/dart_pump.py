"""A simulated DART pump for tests of what is around it: cables, faults, the bench."""

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.frame import Control, Frame, decode, encode, split
from controller.pumps.dart.settings import DartSettings
from sim.chance import Chance
from sim.faults import Faults, FaultyTwin
from sim.pumps.dart import DartTwin
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.protocols import protocol

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4000, 2)
ADDRESS = 0x50
POLL = encode(Frame(ADDRESS, Control.POLL))
EOT = encode(Frame(ADDRESS, Control.EOT))
ACK = encode(Frame(ADDRESS, Control.ACK, 1))


def order(tx: int, *orders: dart.Order) -> bytes:
    """A block with these orders."""
    return encode(Frame(ADDRESS, Control.DATA, tx, dart.block(tuple(dart.Command(one) for one in orders))))


ASK_STATUS = order(1, dart.Order.RETURN_STATUS)


def pump(**head_options: int) -> FaultyTwin:
    """One pump of two nozzles at 0x50, with nothing wrong yet."""
    head = PumpHead([HeadNozzle("diesel", PRICE, 1_000), HeadNozzle("gasoline", PRICE)], TRY, **head_options)
    twin = DartTwin(head, DartSettings(address=ADDRESS, currency=TRY, nozzles=2))
    return protocol("dart").faulty(twin, Faults(Chance(1, "faults/1")))


def dart_of(faulty: FaultyTwin) -> DartTwin:
    assert isinstance(faulty.twin, DartTwin)
    return faulty.twin


def news_in(answer: bytes) -> list[dart.ToMaster]:
    """What a pump says in an answer."""
    frames = [decode(piece) for piece in split(answer)]
    return [item for frame in frames if frame.body for item in dart.to_master(frame.body)]


def start(faulty: FaultyTwin, now_us: int, **limit: int) -> None:
    """Nozzle 1 runs, as far as the limit goes."""
    faulty.head.lift(1, now_us)
    faulty.head.limit(now_us, **limit)
    faulty.head.permit((1,), now_us)
    faulty.head.squeeze(20_000, now_us)
