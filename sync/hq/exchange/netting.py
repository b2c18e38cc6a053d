"""What two issuers owe each other for a day: what each sold to the other's cards, and the difference. Pure.

Both compute it from the same two packages, so both get the same numbers and the same `agreed` digest: it is compared
on the telephone, or printed under the settlement.
"""

import hashlib
from collections.abc import Iterable
from datetime import date

import msgspec

from sync.hq.exchange.packages import Traded, Transaction


class Side(msgspec.Struct, frozen=True):
    """What one of the two sold to the other's cards."""

    transactions: int
    volume_ml: int
    amount_minor: int


class Netting(msgspec.Struct, frozen=True):
    """`sold`: by us to their cards; `bought`: by our cards from them. `net_minor` above zero: they owe us.

    `agreed`: a digest of both packages, the same at both ends; empty while one is missing, as `waits_for` says.
    """

    us: str
    partner: str
    day: date
    currency: str
    sold: Side
    bought: Side
    net_minor: int
    waits_for: str
    agreed: str


def side_of(transactions: Iterable[Transaction]) -> Side:
    """The sums of one direction."""
    count = volume_ml = amount_minor = 0
    for sold in transactions:
        count += 1
        volume_ml += sold.volume_ml
        amount_minor += sold.amount_minor
    return Side(count, volume_ml, amount_minor)


def net(us: str, partner: str, day: date, currency: str, sent: Traded | None, received: Traded | None) -> Netting:
    """The day between the two. A package that has not been sent or has not come counts nothing, and is named."""
    sold = side_of(sent.transactions if sent else ())
    bought = side_of(received.transactions if received else ())
    waits = [name for name, package in ((us, sent), (partner, received)) if package is None]
    agreed = ""
    if sent is not None and received is not None:
        halves = sorted((_digest(sent), _digest(received)))
        agreed = hashlib.sha256(b"".join(halves)).hexdigest()[:32]
    net_minor = sold.amount_minor - bought.amount_minor
    return Netting(us, partner, day, currency, sold, bought, net_minor, " and ".join(waits), agreed)


def _digest(package: Traded) -> bytes:
    return hashlib.sha256(msgspec.json.encode(package)).digest()
