"""Card readers and the network's cards, as station.toml has them: decoded and checked. Knows no card and no reader."""

import re
from collections.abc import Collection, Iterator
from typing import Literal

import msgspec

STATION_NUMBER_MAX = 2**32 - 1
"""As much as a card has room for."""
OWN_READ_KEY, GUEST_READ_KEYS = 1, range(5, 10)
"""The key slots of cards that stations read with: of the own network, and of another acquirer's."""


class ReaderTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card reader: of a fuelling point, or of a till."""

    kind: Literal["pcsc", "tcp"]
    name: str
    point: int | None = None
    till: str | None = None


class CardsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network's cards: application id (6 hex digits, as they travel to the card) and the network's name.

    `station_number`: by which the cards know this station, one of its own in the network. `product_sets`: grade codes
    by the name of the set that headquarters signs on a card. `read_key_number`: the key slot that this station reads
    with, 5 to 9 where the cards are another acquirer's.
    """

    aid: str
    system: str
    station_number: int = 0
    purse: bool = False
    unlisted: bool = False
    product_sets: dict[str, tuple[str, ...]] = {}
    read_key_number: int = OWN_READ_KEY


def wrong_readers(
    readers: tuple[ReaderTable, ...], points: Collection[int], tills: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Key and what is wrong with it. `points` and `tills` are those of the station."""
    seen: set[int | str] = set()
    names: set[tuple[str, str]] = set()
    for index, reader in enumerate(readers):
        key = f"readers[{index}]"
        if (reader.point is None) == (reader.till is None):
            yield key, "expected a point or a till: one of the two"
        elif reader.point is not None and reader.point not in points:
            yield f"{key}.point", f"{reader.point} is no point of this station"
        elif reader.till is not None and reader.till not in tills:
            yield f"{key}.till", f"{reader.till!r} is no till of this station"
        place: int | str = reader.till or reader.point or 0
        if place in seen:
            what = f"point {place}" if reader.till is None else f"till {place}"
            yield f"{key}.{'point' if reader.till is None else 'till'}", f"{what} has a reader already"
        seen.add(place)
        if (reader.kind, reader.name) in names:
            yield f"{key}.name", f"{reader.name!r} stands at another place already: one card would open two pumps"
        names.add((reader.kind, reader.name))


def wrong_cards(cards: CardsTable | None, *, readers: bool, grades: Collection[str]) -> Iterator[tuple[str, str]]:
    """Key and what is wrong with it. `readers`: whether there are any; `grades`: the station's codes."""
    if cards is None:
        if readers:
            yield "cards", "expected this table, with aid and system: readers need to know the network's cards"
        return
    if not re.fullmatch(r"[0-9a-fA-F]{6}", cards.aid):
        yield "cards.aid", f"{cards.aid!r}: expected 6 hex digits"
    if not 0 <= cards.station_number <= STATION_NUMBER_MAX:
        yield "cards.station_number", f"{cards.station_number}: expected 1 to {STATION_NUMBER_MAX}"
    if cards.read_key_number not in (OWN_READ_KEY, *GUEST_READ_KEYS):
        expected = f"{OWN_READ_KEY}, or {GUEST_READ_KEYS[0]} to {GUEST_READ_KEYS[-1]} for another acquirer's cards"
        yield "cards.read_key_number", f"{cards.read_key_number}: expected {expected}"
    if cards.purse and cards.read_key_number != OWN_READ_KEY:
        yield "cards.purse", "true, and another acquirer's cards: a guest never holds the debit key; take one out"
    if cards.purse and not cards.station_number:
        yield "cards.station_number", "expected the number by which cards know this station: purses need it"
    for name, codes in cards.product_sets.items():
        for code in codes:
            if code not in grades:
                yield f"cards.product_sets.{name}", f"{code!r} is no grade: expected one of {', '.join(grades)}"
