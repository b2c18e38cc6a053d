"""What a card office did, event by event, and what follows: which number is on which card, which loads are open.

The log is JSON lines, appended before and after each change to a card: an event is on disk before the card hears of
it. `Register` is the fold over it. **It holds whole card numbers and UIDs**: it is for headquarters only, which needs
them to make the keys that check what cards signed. Knows no file and no card.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from card_io.application import masked
from card_io.errors import CardError, CardTaken
from controller.domain.card_proof import CardProof
from sync.hq.cards.network import OfficeError

LoadOutcome = Literal["applied", "not_applied"]


class Issuing(msgspec.Struct, frozen=True, tag="issuing", forbid_unknown_fields=True):
    """This number is about to be put on this card. `replaces`: the number of a lost card."""

    at_ms: int
    card_number: str
    uid: bytes
    replaces: str = ""

    def __repr__(self) -> str:
        return f"Issuing({masked(self.card_number)})"


class Issued(msgspec.Struct, frozen=True, tag="issued", forbid_unknown_fields=True):
    """The card is complete."""

    at_ms: int
    card_number: str
    uid: bytes
    key_version: int

    def __repr__(self) -> str:
        return f"Issued({masked(self.card_number)})"


class NotIssued(msgspec.Struct, frozen=True, tag="not_issued", forbid_unknown_fields=True):
    """The card turned out to be something else's, before the number was on it: the number is free again."""

    at_ms: int
    card_number: str

    def __repr__(self) -> str:
        return f"NotIssued({masked(self.card_number)})"


class Rotated(msgspec.Struct, frozen=True, tag="rotated", forbid_unknown_fields=True):
    """The card's keys are of this version."""

    at_ms: int
    uid: bytes
    key_version: int


class Wiped(msgspec.Struct, frozen=True, tag="wiped", forbid_unknown_fields=True):
    """Nothing of ours is on this card any more."""

    at_ms: int
    uid: bytes


class Loading(msgspec.Struct, frozen=True, tag="loading", forbid_unknown_fields=True):
    """`amount` is about to go into the purse, which holds `value_before`; `tmc_before`: the card's commits by then."""

    at_ms: int
    seq: int
    card_number: str
    uid: bytes
    amount: int
    value_before: int
    tmc_before: int | None

    def __repr__(self) -> str:
        return f"Loading({masked(self.card_number)}, {self.amount})"


class Loaded(msgspec.Struct, frozen=True, tag="loaded", forbid_unknown_fields=True):
    """What became of the load of that `seq`. `how`: as the card answered, or how it was found out later."""

    at_ms: int
    seq: int
    outcome: LoadOutcome
    how: str
    proof: CardProof | None = None


class Released(msgspec.Struct, frozen=True, tag="released", forbid_unknown_fields=True):
    """Headquarters took over what is left of a debit, and signed that for the station. `debit` is epoch-seq."""

    at_ms: int
    station: int
    debit: str
    amount: int


Event: TypeAlias = Issuing | Issued | NotIssued | Rotated | Wiped | Loading | Loaded | Released


class NumberTaken(CardError):
    """The card number can't be put on this card."""

    kind = "number_taken"
    todo = "present the card that has it, or give another number"


class Register:
    """The state of the log."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.cards: dict[str, bytes] = {}
        """UID by card number: every number that was ever begun on a card which was not wiped before it was done."""
        self.issued: set[str] = set()
        self.wiped: set[str] = set()
        self.replaced: set[str] = set()
        """Numbers of lost and broken cards in whose place others were made."""
        self.key_versions: dict[bytes, int] = {}
        """The version of a card's keys by UID, as far as this office put it there."""
        self.open_loads: dict[bytes, Loading] = {}
        self.proofs: list[tuple[str, CardProof]] = []
        """What cards signed at this office, with the card's number."""
        self.tmc_seen: dict[str, int] = {}
        """The highest count of commits that a card was seen with here, by number."""
        self.releases: dict[tuple[int, str], int] = {}
        """The amount by station and debit."""
        self.loads = 0
        self._loading: dict[int, Loading] = {}
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        match event:
            case Issuing(card_number=number, uid=uid, replaces=replaced):
                self.cards[number] = uid
                if replaced:
                    self.replaced.add(replaced)
            case Issued(card_number=number, uid=uid, key_version=version):
                self.issued.add(number)
                self.key_versions[uid] = version
            case NotIssued(card_number=number):
                self.cards.pop(number, None)
            case Wiped(uid=uid):
                for number in self.numbers_on(uid):
                    if number in self.issued:
                        self.wiped.add(number)
                    else:
                        del self.cards[number]
                self.open_loads.pop(uid, None)
            case Loading(seq=seq, uid=uid, card_number=number, tmc_before=tmc):
                self.loads = max(self.loads, seq)
                self._loading[seq] = self.open_loads[uid] = event
                if tmc is not None:
                    self.tmc_seen[number] = max(tmc, self.tmc_seen.get(number, 0))
            case Loaded(seq=seq, proof=proof):
                began = self._loading.get(seq)
                if began is not None:
                    self.open_loads.pop(began.uid, None)
                    if proof is not None:
                        self.proofs.append((began.card_number, proof))
            case Released(station=station, debit=debit, amount=amount):
                self.releases[station, debit] = amount
            case Rotated(uid=uid, key_version=version):
                self.key_versions[uid] = version

    def numbers_on(self, uid: bytes) -> list[str]:
        """The numbers that are on this card: one, or none after it was wiped."""
        return [number for number, there in self.cards.items() if there == uid and number not in self.wiped]

    def uid_of(self, card_number: str) -> bytes:
        """The card of this number. Raises OfficeError."""
        uid = self.cards.get(card_number)
        if uid is None:
            raise OfficeError(f"this office issued no card {masked(card_number)}: check the number")
        return uid

    def check_issue(self, card_number: str, uid: bytes | None = None) -> None:
        """Whether this number may be put on a card (on this one). Raises NumberTaken, CardTaken.

        A number is never given to a second card: stations stop cards by their number, and two with one number could
        not be told apart.
        """
        if card_number in self.wiped:
            raise NumberTaken(f"the number {masked(card_number)} was on a card that was wiped")
        there = self.cards.get(card_number)
        if there is not None and uid is not None and there != uid:
            raise NumberTaken(
                f"the number {masked(card_number)} is on the card ..{there[-3:].hex().upper()} already, and this is "
                f"..{uid[-3:].hex().upper()}"
            )
        if uid is not None and (others := [number for number in self.numbers_on(uid) if number != card_number]):
            raise CardTaken(f"this card is card {masked(others[0])} already")


_DECODER = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    return msgspec.json.encode(event) + b"\n"


def decode(data: bytes, name: str) -> list[Event]:
    """All events of a log. A last line without its end was never written whole, and nothing was done after it.

    Raises OfficeError with the line.
    """
    events = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            events.append(_DECODER.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise OfficeError(
                f"{name}, line {number}: no event of a card office: put a copy of the file back"
            ) from None
    return events
