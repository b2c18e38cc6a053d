"""Renewing the keys of many cards: whichever of them is put on the reader next, until all are done or nobody comes.

Which are done stands in the office's log, so that a renewal that was stopped goes on where it was. Cards that do not
belong to it are left as they are. Knows no file and no reader.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from card_io.application import masked
from card_io.errors import CardError
from card_io.rotate import Rotated
from sync.hq.cards.batch import STOPPING
from sync.hq.cards.log import Register
from sync.hq.cards.network import OfficeError
from sync.hq.cards.office import NEXT_CARD, CardSlot
from sync.hq.cards.showing import tail_of

NUMBER_COLUMN = "card_number"
NAMED_MAX = 10
"""So many of the cards that are left are named: nobody reads more."""


class NotToBeRenewed(CardError):
    """A card of the network that this renewal is not for."""

    kind = "not_to_be_renewed"
    todo = "put it aside, and the next card on the reader"


@dataclass(frozen=True, slots=True)
class Renewed:
    """How a renewal ended. `left`: numbers, masked. `stopped`: why it did not come to its end, in words."""

    done: int
    failed: int
    left: tuple[str, ...]
    stopped: str = ""

    @property
    def left_text(self) -> str:
        """Which cards are left, as far as anybody reads that."""
        named = ", ".join(self.left[:NAMED_MAX])
        return f"{named} and {len(self.left) - NAMED_MAX} more" if len(self.left) > NAMED_MAX else named


def to_renew(register: Register, version: int) -> dict[bytes, str]:
    """Numbers by UID of all cards in use that are not known to have keys of this version."""
    return {
        uid: number
        for number, uid in register.cards.items()
        if number in register.issued
        and number not in register.wiped
        and number not in register.replaced
        and register.key_versions.get(uid) != version
    }


def parse_numbers(text: str, name: str) -> dict[str, int]:
    """The card numbers of a CSV and their lines; its other columns don't matter. Raises OfficeError."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        if NUMBER_COLUMN not in (reader.fieldnames or ()):
            raise OfficeError(f"{name}, line 1: expected a column {NUMBER_COLUMN}")
        numbers = {(row[NUMBER_COLUMN] or "").strip(): reader.line_num for row in reader}
    except csv.Error as error:
        raise OfficeError(f"{name}, line {reader.line_num}: not CSV ({error})") from None
    if not numbers:
        raise OfficeError(f"{name} names no card: write one a line, under the line of columns")
    return numbers


def renew(
    todo: Mapping[bytes, str],
    slot: CardSlot,
    rotate: Callable[[Callable[[bytes], None]], tuple[Rotated, int]],
    say: Callable[[str], None],
) -> Renewed:
    """Renews these cards (numbers by UID) as they come. `rotate` gets a check of the card's UID, made before anything
    is changed on it. `say` is the progress, in words.
    """
    left, failed = dict(todo), 0

    def check(uid: bytes) -> None:
        if uid in todo and uid not in left:
            raise NotToBeRenewed(f"card {masked(todo[uid])} was done before")
        if uid not in left:
            raise NotToBeRenewed(f"the card {tail_of(uid)} is not one of those that are still to be renewed")

    def ended(stopped: str = "") -> Renewed:
        return Renewed(len(todo) - len(left), failed, tuple(masked(number) for number in left.values()), stopped)

    while left:
        try:
            slot.present(NEXT_CARD)
            rotated, version = rotate(check)
        except (*STOPPING, OfficeError) as error:
            return ended(str(error))
        except NotToBeRenewed as error:
            say(str(error))
        except CardError as error:
            failed += 1
            say(f"FAILED: {error}")
        else:
            number = left.pop(rotated.uid)
            what = f"changed keys {', '.join(map(str, rotated.changed))}" if rotated.changed else "nothing to change"
            say(f"{masked(number)}: keys of version {version}, {what} ({len(todo) - len(left)} of {len(todo)})")
        if left:
            try:
                slot.removed()
            except STOPPING as error:
                return ended(str(error))
    return ended()
