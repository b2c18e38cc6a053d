"""What headquarters signed on a card itself: beside its row of the list, or in place of one.

A row and an entitlement both count: the narrower of the two. A card that the list does not know buys by its signed
entitlement only where `cards.unlisted` says so; the stop list is the list's. The PIN's verifier is the card's own; it
goes into no row and so into no journal. Knows no reader and no purse's flow.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from card_io.entitlement import Entitlement
from card_io.facts import CardFacts
from controller.domain.card_use import CardUse
from controller.domain.funds import Funds
from controller.domain.list_entries import Catalogue
from controller.domain.lists import Cap, Level, ListRow, ListState, LookUp, Measure, Status, Window
from controller.domain.pins import BLOCK, ON_CARD, PARALLEL
from controller.domain.purse_records import CardSeen
from controller.domain.seams import MS_PER_S
from controller.domain.tokens import TokenKind, fold_plate, token_key
from controller.pincheck import PinChecker
from controller.site import Lists

REMEMBERED_CARDS = 500
"""The last ones that were proven here: more than wait between a tap and its decision."""
ALL_PRODUCTS = "all"
_NO_PLATE = b"-"
"""No plate has this key: list and card name different vehicles."""


class CardsProven:
    """What the last cards proved, by token key: between a tap and the decision there may be a question or two."""

    def __init__(self) -> None:
        self._facts: OrderedDict[bytes, CardFacts] = OrderedDict()

    def proved(self, key: bytes, facts: CardFacts) -> None:
        self._facts[key] = facts
        self._facts.move_to_end(key)
        if len(self._facts) > REMEMBERED_CARDS:
            self._facts.popitem(last=False)

    def facts(self, key: bytes) -> CardFacts | None:
        return self._facts.get(key)

    def use(self, key: bytes, today: date) -> CardUse | None:
        """What the card itself counts on this business day; None where it counts nothing, or was not proven."""
        facts = self._facts.get(key)
        if facts is None or facts.counters is None:
            return None
        used = facts.counters.used_on(today)
        return CardUse(
            day_fills=used.day_fills,
            day_ml=used.day.volume_ml,
            day_minor=used.day.amount_minor,
            month_ml=used.month.volume_ml,
            month_minor=used.month.amount_minor,
            pin_wrong=facts.counters.pin_tries,
        )

    def seen(self, key: bytes) -> CardSeen | None:
        """How old the card is by its own word; None for a token that is no card of these."""
        facts = self._facts.get(key)
        if facts is None:
            return None
        counter = facts.purse.counter if facts.purse else None
        return CardSeen(facts.entitlement.sequence if facts.entitlement else 0, counter or 0)


@dataclass(frozen=True, slots=True)
class EntitledRules:
    """`product_sets`: grade codes by the set's name; a set of no entry here is the grade of that name, or `all`.

    `unlisted`: whether a card that is not on the list may buy by its entitlement. `purse`: whether such a card pays
    from its purse, if it has one. `grades`: the codes that are sold here.
    """

    list_secret: bytes
    zone: ZoneInfo
    product_sets: Mapping[str, tuple[str, ...]]
    unlisted: bool = False
    purse: bool = False
    grades: Collection[str] = ()


class EntitledLists:
    """The list, with what cards say of themselves. Implements `Lists`."""

    def __init__(self, lists: Lists, cards: CardsProven, rules: EntitledRules) -> None:
        self._lists = lists
        self._cards = cards
        self._rules = rules
        self._unknown = ""

    @property
    def trouble(self) -> str:
        """See Lists; or that the card which was looked up last is signed for what nobody here knows."""
        return self._lists.trouble or self._unknown

    def catalogue(self) -> Catalogue | None:
        """See Lists: cards say nothing of it."""
        return self._lists.catalogue()

    def look_up(self, key: bytes) -> LookUp:
        """See Lists."""
        found = self._lists.look_up(key)
        facts = self._cards.facts(key)
        self._unknown = ""
        if facts is None or facts.entitlement is None or found.state is not ListState.READY:
            return found
        self._unknown = self._what_nobody_knows(facts.entitlement.product_set)
        row = found.row
        if row is None:
            if not self._rules.unlisted:
                return found
            funds = Funds.CARD_PURSE if self._rules.purse and facts.purse is not None else Funds.POSTPAID
            row = ListRow(key, TokenKind.CARD, Status.ACTIVE, facts.entitlement.issuer, funds=funds)
        own_pin = facts.entitlement.pin is not None and not row.pin
        row = narrowed(row, facts.entitlement, self._rules)
        return msgspec.structs.replace(found, row=row, pin_on_card=own_pin)

    def _what_nobody_knows(self, name: str) -> str:
        """A sentence, where a card's set of products has no meaning here, and is none that the network sells."""
        if name == ALL_PRODUCTS or name in self._rules.product_sets or name in self._rules.grades:
            return ""
        catalogue = self._lists.catalogue()
        if catalogue is not None and name in {product.code for product in catalogue.products}:
            return ""
        return (
            f"The last card was issued for the products {name!r}, which are no key of cards.product_sets, no grade of "
            "station.toml and no product of the list: it buys nothing here"
        )


def narrowed(row: ListRow, entitlement: Entitlement, rules: EntitledRules) -> ListRow:
    """The row, where it allows more than the entitlement does: as the entitlement has it."""
    first_ms = _midnight_ms(entitlement.valid_from, rules.zone)
    end_ms = _midnight_ms(entitlement.valid_until + timedelta(days=1), rules.zone)
    plates = tuple(token_key(rules.list_secret, TokenKind.PLATE, fold_plate(plate)) for plate in entitlement.plates)
    if row.plate_key:
        # The list names one vehicle: it is that one, and it must be among the card's own.
        plates = (row.plate_key if not plates or row.plate_key in plates else _NO_PLATE,)
    pin, pin_version = row.pin, row.pin_version
    if entitlement.pin is not None and not row.pin:
        pin, pin_version = f"{ON_CARD}{row.key.hex()}", entitlement.sequence
    month = entitlement.month
    return msgspec.structs.replace(
        row,
        products=_products(row, entitlement, rules),
        valid_from_ms=max(row.valid_from_ms, first_ms),
        valid_until_ms=min(row.valid_until_ms or end_ms, end_ms),
        plate_key=plates[0] if plates else b"",
        more_plates=plates[1:],
        fill_ml=_smaller(row.fill_ml, entitlement.fill.volume_ml),
        fill_minor=_smaller(row.fill_minor, entitlement.fill.amount_minor),
        day_ml=_smaller(row.day_ml, entitlement.day.volume_ml),
        day_minor=_smaller(row.day_minor, entitlement.day.amount_minor),
        caps=(
            *row.caps,
            *(Cap(Level.CARD, Window.MONTH, Measure.VOLUME, most) for most in (month.volume_ml,) if most),
            *(Cap(Level.CARD, Window.MONTH, Measure.AMOUNT, most) for most in (month.amount_minor,) if most),
        ),
        pin=pin,
        pin_version=pin_version,
    )


class EntitledPins:
    """Checks the PINs of rows as `checker` does, and the PINs of cards by the verifiers that they carry."""

    def __init__(self, checker: PinChecker, cards: CardsProven) -> None:
        self._checker = checker
        self._cards = cards

    async def verify(self, verifier: str, typed: str) -> bool:
        """See PinChecker."""
        if not verifier.startswith(ON_CARD):
            return await self._checker.verify(verifier, typed)
        facts = self._cards.facts(bytes.fromhex(verifier.removeprefix(ON_CARD)))
        pin = None if facts is None or facts.entitlement is None else facts.entitlement.pin
        if facts is None or facts.card_number is None or pin is None:
            return False
        salt = pin.salt + facts.card_number.encode()
        text = f"scrypt${1 << pin.cost}${BLOCK}${PARALLEL}${salt.hex()}${pin.digest.hex()}"
        return await self._checker.verify(text, typed)


def _products(row: ListRow, entitlement: Entitlement, rules: EntitledRules) -> str:
    name = entitlement.product_set
    if name == ALL_PRODUCTS and name not in rules.product_sets:
        return row.products
    signed = rules.product_sets.get(name, (name,))
    both = [code for code in signed if row.allows(code)]
    return ",".join(both) or "-"  # an empty text would mean all of them; no grade has this code


def _smaller(listed: int, signed: int | None) -> int:
    """The smaller of two limits, of which the first has 0 and the second None for no limit."""
    if signed is None:
        return listed
    signed = max(signed, 1)  # a limit of nothing is not one that is not there
    return min(listed or signed, signed)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * MS_PER_S
