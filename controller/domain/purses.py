"""Open cases of card purses: debits that are neither given back nor given up. A fold over the journal's rows.

A case is over when the card says that nothing was taken, when the rest is on the card again, or when headquarters has
taken it over. Until then the station owes something, or does not know whether it does. Knows no card and no pump.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from controller.domain.names import RowName, parse_row_name
from controller.domain.pin_records import PinNoted
from controller.domain.purse_records import (
    CardSeen,
    Counted,
    DebitName,
    PurseDebited,
    PurseFate,
    PurseIntended,
    PurseRefunded,
    PurseReleased,
    PurseResolved,
    PurseUnit,
)
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import Reason
from controller.domain.records import Authorised, Body, Delivery, Limits, Released, Unreserved
from controller.domain.tokens import TokenRef


class PurseFill(msgspec.Struct, frozen=True, array_like=True):
    """What was delivered for a debit, as the card writes it down. `at_ms`: UTC."""

    name: RowName
    point: int
    volume_ml: int
    amount_minor: int
    at_ms: int


class PurseCase(msgspec.Struct, array_like=True):
    """One debit. `debited`: None while nobody knows. `spent`: None while a pump may still deliver for it.

    `elsewhere`: the card cannot say what became of it any more: headquarters must.
    """

    point: int
    token: TokenRef
    station: int
    unit: PurseUnit
    maximum: int
    before: DebitName | None
    debited: bool | None = None
    authorised: RowName | None = None
    spent: int | None = None
    fill: PurseFill | None = None
    elsewhere: bool = False
    counted: Counted | None = None

    @property
    def fuelling(self) -> bool:
        """A pump may still deliver for it."""
        return self.authorised is not None and self.spent is None

    @property
    def owed(self) -> int | None:
        """What is to be given back, in the purse's unit; None while that is not known."""
        if self.fuelling or not self.debited:
            return None
        return self.maximum - (self.spent or 0)


class Purses(msgspec.Struct):
    """`cases`: by the intent's name, as text, the oldest first. `seen`: by token key, the highest ever."""

    cases: dict[str, PurseCase] = {}
    seen: dict[bytes, CardSeen] = {}

    def apply(self, body: Body) -> None:
        """Take the next row."""
        record = body.record
        match record:
            case PurseIntended():
                self.cases[body.name.text] = PurseCase(
                    record.point,
                    record.token,
                    record.station,
                    record.unit,
                    record.maximum,
                    record.before,
                    counted=record.counted,
                )
            case PurseDebited():
                if (case := self.cases.get(record.intended.text)) is not None:
                    case.debited = True
                    if record.proof is not None:
                        self._saw(case.token.key, CardSeen(0, record.proof.tmc))
            case Authorised():
                if record.token is not None and record.card is not None:
                    self._saw(record.token.key, record.card)
                if record.purse is not None and (case := self.cases.get(record.purse.text)) is not None:
                    case.authorised = body.name
            case Released() if record.proven:
                if (case := self._of(record.authorised)) is not None:
                    case.spent = 0
            case Unreserved():
                if (case := self._of(record.authorised)) is not None and case.spent is None:
                    moved = record.spent_minor if case.unit is PurseUnit.MONEY else record.volume_ml
                    case.spent = case.maximum if record.volume_ml is None else min(moved or 0, case.maximum)
            case Delivery():
                if (case := self._of(record.authorised)) is not None:
                    taken = record.amount_minor if case.unit is PurseUnit.MONEY else record.volume_ml
                    case.spent = min(taken, case.maximum)
                    at_ms = body.stamp.wall_ms
                    case.fill = PurseFill(body.name, record.point, record.volume_ml, record.amount_minor, at_ms)
            case PurseResolved():
                self._resolve(record)
            case PurseRefunded():
                closed = self.cases.pop(record.intended.text, None)
                if closed is not None and record.proof is not None:
                    self._saw(closed.token.key, CardSeen(0, record.proof.tmc))
            case PurseReleased():
                self.cases.pop(record.intended.text, None)
            case PinNoted():
                if record.proof is not None:
                    self._saw(record.token.key, CardSeen(0, record.proof.tmc))
            case _:
                pass

    def of_card(self, token_key: bytes) -> list[tuple[RowName, PurseCase]]:
        """A card's open cases, the oldest first."""
        return [(parse_row_name(text), case) for text, case in self.cases.items() if case.token.key == token_key]

    def open_cases(self) -> list[tuple[RowName, PurseCase]]:
        """All of them, the oldest first."""
        return [(parse_row_name(text), case) for text, case in self.cases.items()]

    def highest(self, token_key: bytes) -> CardSeen:
        """The highest that was ever seen of a card here."""
        return self.seen.get(token_key, CardSeen())

    def _resolve(self, record: PurseResolved) -> None:
        match record.fate:
            case PurseFate.NOT_APPLIED | PurseFate.REFUNDED:
                self.cases.pop(record.intended.text, None)
            case PurseFate.APPLIED:
                if (case := self.cases.get(record.intended.text)) is not None:
                    case.debited = True
            case PurseFate.UNKNOWN:
                if (case := self.cases.get(record.intended.text)) is not None:
                    case.elsewhere = True

    def _of(self, authorised: RowName | None) -> PurseCase | None:
        if authorised is None:
            return None
        return next((case for case in self.cases.values() if case.authorised == authorised), None)

    def _saw(self, token_key: bytes, now: CardSeen) -> None:
        before = self.highest(token_key)
        self.seen[token_key] = CardSeen(max(before.sequence, now.sequence), max(before.counter, now.counter))


@dataclass(frozen=True, slots=True)
class Taken:
    """A purse was debited. `debited` goes to disk in one commit with what it allows, within `limits`; then `written`.

    `most_minor`: what the delivery may cost at most, overrun included.
    """

    name: RowName
    debited: PurseDebited
    limits: Limits
    most_minor: int
    written: Callable[[], None]


TakeFromPurse = Callable[[int, TokenRef, Limits, UnitPrice], Awaitable[Taken | Reason]]
"""Of point, card, limits and price. JournalUnwritable, with nothing taken, if the disk refuses the intent."""


async def no_purse(point: int, token: TokenRef, limits: Limits, price: UnitPrice) -> Taken | Reason:
    """A station without card purses."""
    return Reason.PURSE_UNSUPPORTED
