"""What is remembered of each sale, to reverse it, dispute it, count it: columns of numbers, 90 bytes a sale.

A year of a large network is replayed in memory, so there is no object for a sale. Knows no rule.
"""

from array import array

from controller.domain.programmes.lots import LotAccount, Piece

NOBODY = -1
REVERSED = 1
CARD_SHOWN = 2
"""A card was shown at or after it, or another token named its holder."""
PAID_AND_GONE = 4
REDEMPTION = 8
OWN_NETWORK = 16
OTHER_REF = -1
"""What `refs` says of events that are no sale."""


class Names:
    """Texts that return again and again (cards, stations, plates), by number."""

    __slots__ = ("_by_text", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self._by_text = {"": 0}

    def number(self, text: str) -> int:
        found = self._by_text.get(text)
        if found is None:
            found = self._by_text[text] = len(self.texts)
            self.texts.append(text)
        return found


class SaleBook:
    """All sales and redemptions, numbered from 0 as they come; `refs` has the number of each event's ref."""

    def __init__(self) -> None:
        self.refs: dict[str, int] = {}
        self.names: list[str] = []
        """The ref of each sale."""
        self.texts = Names()
        self.at_ms = array("q")
        self.holder = array("i")
        self.flags = array("B")
        self.product = array("B")
        self.amount_minor = array("q")
        self.volume_ml = array("q")
        self.cash_minor = array("q")
        self.electronic_minor = array("q")
        """Pay-and-go included."""
        self.points_minor = array("q")
        self.earned = array("q")
        """Points that it earned, or its rebate."""
        self.expiry_ms = array("q")
        self.card = array("i")
        self.plate = array("i")
        self.station = array("i")
        self.purse = array("B")
        self.debts: dict[int, int] = {}
        """By sale: what no linked card paid."""
        self.acquirers: dict[int, str] = {}
        """By sale: the settlement account of the network that served it."""
        self.redemptions: dict[int, tuple[LotAccount, list[Piece]]] = {}

    def add(
        self,
        ref: str,
        at_ms: int,
        holder: int,
        flags: int,
        product: int,
        amount_minor: int,
        volume_ml: int,
        cash_minor: int,
        electronic_minor: int,
        points_minor: int,
        earned: int,
        expiry_ms: int,
        card: str,
        plate: str,
        station: str,
        purse: int,
    ) -> int:
        """Remember one; its number."""
        number = len(self.names)
        self.refs[ref] = number
        self.names.append(ref)
        self.at_ms.append(at_ms)
        self.holder.append(holder)
        self.flags.append(flags)
        self.product.append(product)
        self.amount_minor.append(amount_minor)
        self.volume_ml.append(volume_ml)
        self.cash_minor.append(cash_minor)
        self.electronic_minor.append(electronic_minor)
        self.points_minor.append(points_minor)
        self.earned.append(earned)
        self.expiry_ms.append(expiry_ms)
        number_of = self.texts.number
        self.card.append(number_of(card) if card else 0)
        self.plate.append(number_of(plate) if plate else 0)
        self.station.append(number_of(station))
        self.purse.append(purse)
        return number

    def redeemed(
        self, ref: str, at_ms: int, holder: int, account: LotAccount, pieces: list[Piece], station: str
    ) -> None:
        """Remember a redemption, which can be reversed as a sale can."""
        points = sum(part for _, part in pieces)
        number = self.add(ref, at_ms, holder, REDEMPTION, 0, 0, 0, 0, 0, points, 0, 0, "", "", station, 0)
        self.redemptions[number] = (account, pieces)

    def find(self, ref: str) -> int | None:
        """The number of a sale or redemption, None where the ref is no such thing."""
        number = self.refs.get(ref, OTHER_REF)
        return None if number == OTHER_REF else number

    def is_flagged(self, number: int, flag: int) -> bool:
        return bool(self.flags[number] & flag)

    def paid_by_account(self, number: int) -> int:
        """What neither cash nor a bank nor points paid."""
        rest = self.amount_minor[number] - self.cash_minor[number] - self.electronic_minor[number]
        return max(rest - self.points_minor[number], 0)

    def card_of(self, number: int) -> str:
        return self.texts.texts[self.card[number]]

    def plate_of(self, number: int) -> str:
        return self.texts.texts[self.plate[number]]

    def station_of(self, number: int) -> str:
        return self.texts.texts[self.station[number]]
