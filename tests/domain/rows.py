"""Records and books for tests: short ways to write them, and hypothesis strategies made from their types."""

import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from controller.domain.books import Books
from controller.domain.days import BusinessDay
from controller.domain.funds import Funds
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import (
    Authorised,
    Body,
    Delivery,
    Evidence,
    Limits,
    Record,
    RowName,
    Settlement,
    Stamp,
    Tender,
    TenderKind,
)
from controller.domain.seams import ClockQuality
from controller.domain.tokens import Assurance, TokenKind, TokenRef

EPOCH = bytes(range(8))
WALL_MS = 1_790_000_000_000
PRICE = UnitPrice(4379, 2)
CARD = TokenRef(TokenKind.CARD, b"card-key", "123456****1234", Assurance.PROVEN)
STAMP = Stamp(WALL_MS, b"boot-one", 5, ClockQuality.SIMULATED)


def authorised(
    *,
    point: int = 1,
    token: TokenRef | None = None,
    till: str = "till-1",
    command_id: str = "",
    odometer_km: int | None = None,
) -> Authorised:
    return Authorised(
        point=point,
        nozzle=1,
        grade="diesel",
        unit=Unit.LITRE,
        price=PRICE,
        token=token,
        account="ACME" if token else "",
        funds=Funds.POSTPAID if token else Funds.NONE,
        limits=Limits(),
        preset_volume_ml=None,
        preset_amount_minor=None,
        totaliser_before_ml=100_000,
        evidence=Evidence(odometer_km=odometer_km),
        till=till,
        command_id=command_id,
    )


def delivery(
    volume_ml: int = 10_000,
    *,
    point: int = 1,
    allowed: RowName | None = None,
    token: TokenRef | None = None,
    totaliser_after_ml: int | None = 110_000,
) -> Delivery:
    return Delivery(
        point=point,
        nozzle=1,
        grade="diesel",
        unit=Unit.LITRE,
        price=PRICE,
        volume_ml=volume_ml,
        amount_minor=volume_ml * 4379 // 1000,
        totaliser_before_ml=None,
        totaliser_after_ml=totaliser_after_ml,
        authorised=allowed,
        token=token,
        account="ACME" if token else "",
        funds=Funds.POSTPAID if token else Funds.NONE,
        at_start=False,
    )


def settlement(
    paid: RowName, *, number: int = 1, amount_minor: int = 43_790, till: str = "till-1", command_id: str = ""
) -> Settlement:
    return Settlement(
        paid, number, amount_minor, (Tender(TenderKind.CASH, amount_minor, amount_minor),), till, command_id
    )


class Story:
    """Books that are told one row after the other."""

    def __init__(self, zone: str = "Europe/Istanbul", starts_hour: int = 0) -> None:
        self.books = Books(BusinessDay(ZoneInfo(zone), starts_hour))
        self.bodies: list[Body] = []

    def tell(self, record: Record, *, wall_ms: int = WALL_MS) -> RowName:
        name = RowName(EPOCH, len(self.bodies) + 1)
        body = Body(name, Stamp(wall_ms, b"boot-one", 0, ClockQuality.SIMULATED), record)
        self.bodies.append(body)
        self.books.apply(body)
        return name


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a record's field type, so that a new record kind or field is tested without a word here."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return st.one_of([any_of(part) for part in get_args(kind)])
    if origin is tuple:
        item, _ = get_args(kind)
        return st.lists(any_of(item), max_size=3).map(tuple)
    if kind is types.NoneType:
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-(2**63), 2**64 - 1)
    if kind is bytes:
        return st.binary(max_size=40)
    if kind is str:
        return st.text(max_size=40)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    assert issubclass(kind, msgspec.Struct), kind
    return st.builds(kind, **{name: any_of(hint) for name, hint in get_type_hints(kind).items()})
