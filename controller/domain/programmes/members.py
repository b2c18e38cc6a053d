"""Who takes part, and with what: holders (members, organisations, customers, contracts) and their cards. State only."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from controller.domain.programmes.events import CreditCard, Discount
from controller.domain.programmes.prepaid import Contract
from controller.domain.programmes.purses import Purse

Kind = Literal["person", "organisation", "customer", "contract"]
APP = ""
"""Where plates are bound that come with no card."""


class Holder:
    """One who holds accounts. `index` numbers holders from 0: what the sales remember."""

    __slots__ = (
        "activated",
        "birth_date",
        "cancelled",
        "channel",
        "consents",
        "contract",
        "deleted",
        "discount",
        "gained",
        "half",
        "id",
        "index",
        "kind",
        "last_purchase_ms",
        "name",
        "phone",
        "pin_wrong",
        "plates",
        "purses",
        "reviewed_sales",
        "surname",
        "suspended",
        "verified",
    )

    def __init__(self, identity: str, index: int, kind: Kind, at_ms: int) -> None:
        self.id = identity
        self.index = index
        self.kind = kind
        self.name: str | None = None
        self.surname: str | None = None
        self.phone: str | None = None
        self.birth_date: date | None = None
        self.channel = "station"
        self.consents: tuple[Consent, ...] = ()
        self.activated = False
        self.verified = False
        self.cancelled = False
        self.deleted = False
        """Whether its points went with the membership."""
        self.suspended = False
        self.pin_wrong = 0
        self.last_purchase_ms = at_ms
        """Of the last purchase, else of the enrolment."""
        self.reviewed_sales = 0
        """How many sales the books had when a person last looked: the watch asks of later ones."""
        self.gained: tuple[int, ...] = ()
        """Sales whose points a reviewer may take back."""
        self.purses: dict[str, Purse] = {}
        self.plates: Plates | None = None
        self.contract: Contract | None = None
        self.discount: Discount | None = None
        self.half = False


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent, when and by which way it was given."""

    name: str
    at_ms: int
    channel: str


class Plates:
    """A member's plates: bound ones by card (or APP), those announced, those verified at the POS."""

    __slots__ = ("bound", "changed_year", "changes", "verified", "waiting")

    def __init__(self) -> None:
        self.bound: dict[str, list[str]] = {}
        self.waiting: dict[str, list[str]] = {}
        self.verified: set[str] = set()
        self.changed_year = 0
        self.changes = 0

    def place(self, plate: str) -> tuple[list[str], str] | None:
        """The list that has a plate, bound or waiting, and whose list it is (a card, or APP)."""
        for lists in (self.bound, self.waiting):
            for owner, plates in lists.items():
                if plate in plates:
                    return plates, owner
        return None


class Card:
    """A card. `blocked`: lost or replaced."""

    __slots__ = ("blocked", "credit", "holder", "number", "plates", "product_set", "replaced", "used")

    def __init__(self, number: str, holder: Holder) -> None:
        self.number = number
        self.holder = holder
        self.product_set = ""
        self.plates: tuple[str, ...] = ()
        self.credit: tuple[CreditCard, ...] = ()
        self.blocked = False
        self.replaced = False
        self.used = False
