"""Journal records: what a station writes down for ever, their codec, and the chain over them.

A row is named (station, epoch, seq). Its bytes are positional msgpack, so a field may be added at the end of a
record with a default, and never removed or moved. Knows no file: `controller.store.journal` keeps the rows.
"""

import hashlib
from enum import StrEnum

import msgspec

from controller.domain import evidence, names
from controller.domain.allotments import Reservation
from controller.domain.funds import Funds
from controller.domain.grant_records import GrantIntended, GrantVoided
from controller.domain.pin_records import CodeLocked, CodeTried, PinLocked, PinNoted, PinTried, PinUnlocked
from controller.domain.products import Grade
from controller.domain.programme_records import (
    ChargeIntended,
    Presented,
    Quoted,
    Redeemed,
    RedeemIntended,
    RedeemVoided,
    RulesTaken,
)
from controller.domain.purse_records import (
    CardSeen,
    PurseDebited,
    PurseIntended,
    PurseRefunded,
    PurseReleased,
    PurseResolved,
)
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.reasons import Reason
from controller.domain.seams import ClockQuality
from controller.domain.tokens import TokenRef

EPOCH_BYTES = names.EPOCH_BYTES
HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""What the first row of a station is chained to."""


RowName = names.RowName
parse_row_name = names.parse_row_name


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """When a row was written: UTC, and the monotonic clock of one boot, and how good the wall clock was."""

    wall_ms: int
    boot: bytes
    mono_ms: int
    quality: ClockQuality


class TenderKind(StrEnum):
    CASH = "cash"
    BANK_CARD = "bank_card"
    ACCOUNT = "account"
    CARD_PURSE = "card_purse"
    """From the value on the card itself."""
    POINTS = "points"
    """With points of a fuel programme, or with a voucher of them (`Redeemed`)."""
    PAY_AND_GO = "pay_and_go"
    """Charged by headquarters to the credit cards that are linked to the card."""


class Tender(msgspec.Struct, frozen=True, array_like=True):
    """A means of payment and what it paid. `given_minor - amount_minor` was the change."""

    kind: TenderKind
    amount_minor: int
    given_minor: int


Limits = evidence.Limits
Evidence = evidence.Evidence


class Started(msgspec.Struct, frozen=True, array_like=True, tag="started"):
    """The controller has started: a new epoch. `previous` is the head that it found."""

    station: str
    software: str
    simulated: bool
    previous: RowName | None
    grades: tuple[Grade, ...] = ()


class Stopped(msgspec.Struct, frozen=True, array_like=True, tag="stopped"):
    """The controller ended in order. Its absence before the next `Started` tells of a crash or a power cut."""

    why: str


class Declined(msgspec.Struct, frozen=True, array_like=True, tag="declined"):
    """A token was refused."""

    point: int
    nozzle: int
    token: TokenRef | None
    reason: Reason
    evidence: Evidence


class Authorised(msgspec.Struct, frozen=True, array_like=True, tag="authorised"):
    """The pump may deliver: what was allowed, and why. On disk before the pump is told."""

    point: int
    nozzle: int
    grade: str
    unit: Unit
    price: UnitPrice
    token: TokenRef | None
    account: str
    funds: Funds
    limits: Limits
    preset_volume_ml: int | None
    preset_amount_minor: int | None
    totaliser_before_ml: int | None
    evidence: Evidence
    till: str
    command_id: str
    vehicle: bytes = b""
    """The keyed hash under which its vehicle's use is counted, if it is known."""
    reserved: Reservation | None = None
    """What it may take of money that was set apart here."""
    card: CardSeen | None = None
    """How old its card was by its own word."""
    purse: RowName | None = None
    """The intent (`purse_intended`) by which the card's purse was debited for it."""
    held_by: str = ""
    """The name of the limit that it comes to first, where it was approved in part only."""


class Released(msgspec.Struct, frozen=True, array_like=True, tag="released"):
    """An authorisation ended without a delivery: nothing is owed.

    `proven`: the pump was heard all the time, and says that nothing ran. Otherwise what was reserved stays so until
    the totaliser is read (`Unreserved`).
    """

    authorised: RowName
    reason: str
    proven: bool = True


class Unreserved(msgspec.Struct, frozen=True, array_like=True, tag="unreserved"):
    """The totaliser has said what became of a reservation whose delivery was lost: `spent_minor` of it ran out.

    At the price that was agreed. `volume_ml`: how far the totaliser moved; None where another meter was found, and the
    whole reservation counts as spent. Or a manager has said it, with his `reason`, where no totaliser will: then
    `volume_ml` is what his amount buys, None where he counts it as spent whole.
    """

    authorised: RowName
    pot: str
    spent_minor: int
    volume_ml: int | None
    till: str = ""
    command_id: str = ""
    reason: str = ""


class Allotted(msgspec.Struct, frozen=True, array_like=True, tag="allotted"):
    """Headquarters has set money apart: what this station may spend of a prepaid account without asking.

    `pot`: of an account, or of one token (`controller.domain.allotments`). Adds to what was allotted before; an
    `allotment_id` counts once. `valid_until_ms`: UTC, from then on what is left of it is gone; 0: it lasts.
    """

    allotment_id: str
    pot: str
    amount_minor: int
    till: str
    command_id: str
    valid_until_ms: int = 0


class OdometerReset(msgspec.Struct, frozen=True, array_like=True, tag="odometer_reset"):
    """A manager has said that the last reading was wrong: the next one counts, whatever it is."""

    token: TokenRef
    till: str
    command_id: str


class Contact(msgspec.Struct, frozen=True, array_like=True, tag="contact"):
    """Headquarters was heard: at least hourly while it is, so that a restart knows how old the last contact is."""

    waiting_rows: int


class Delivery(msgspec.Struct, frozen=True, array_like=True, tag="delivery"):
    """What the pump said. On disk before the pump is cleared.

    `authorised` is None for fuel that nobody allowed in this journal (a pump that was started by hand).
    `at_start`: found complete when the controller came back. `price_agreed`: what was frozen at the authorisation,
    where the pump used another price (`price`); None where it is the same. Where the pump gave another grade than
    was authorised, nothing was agreed for that one: None too.
    """

    point: int
    nozzle: int
    grade: str
    unit: Unit
    price: UnitPrice
    volume_ml: int
    amount_minor: int
    totaliser_before_ml: int | None
    totaliser_after_ml: int | None
    authorised: RowName | None
    token: TokenRef | None
    account: str
    funds: Funds
    at_start: bool
    price_agreed: UnitPrice | None = None
    held_by: str = ""
    """As its authorisation has it: the limit of a partial approval."""


class Settlement(msgspec.Struct, frozen=True, array_like=True, tag="settlement"):
    """The delivery is paid: now it is a sale. On disk before the receipt is printed."""

    delivery: RowName
    receipt_number: int
    amount_minor: int
    tenders: tuple[Tender, ...]
    till: str
    command_id: str


class UnrecordedDelivery(msgspec.Struct, frozen=True, array_like=True, tag="unrecorded"):
    """The totaliser moved by more than the journal knows: fuel left while nobody listened.

    Between `from_ms`, the last reading that agreed, and `to_ms`, UTC; both 0 in rows of before they were kept. A clock
    that was set back shows itself by a `to_ms` below `from_ms`.
    """

    point: int
    nozzle: int
    volume_ml: int
    totaliser_before_ml: int
    totaliser_after_ml: int
    from_ms: int = 0
    to_ms: int = 0


class TotaliserRead(msgspec.Struct, frozen=True, array_like=True, tag="totaliser"):
    """A nozzle's volume totaliser as it stood when the pump was first heard: what later readings are held against."""

    point: int
    nozzle: int
    totaliser_ml: int


class MeterChanged(msgspec.Struct, frozen=True, array_like=True, tag="meter_changed"):
    """The totaliser jumped by more than any pump could have dispensed: another meter. Never fuel."""

    point: int
    nozzle: int
    totaliser_before_ml: int
    totaliser_after_ml: int


class TotaliserMismatch(msgspec.Struct, frozen=True, array_like=True, tag="totaliser_mismatch"):
    """The delivery before this row (`volume_ml`) moved the totaliser by less than its volume, or not at all."""

    point: int
    nozzle: int
    volume_ml: int
    totaliser_before_ml: int
    totaliser_after_ml: int
    missing_ml: int


class TestMeasure(msgspec.Struct, frozen=True, array_like=True, tag="test_measure"):
    """The delivery went through a test measure and back into the tank: it is closed, and no sale."""

    delivery: RowName
    till: str
    command_id: str


class PriceSource(StrEnum):
    STATION = "station"
    """The desk or station.toml."""
    HEADQUARTERS = "headquarters"
    """The list."""


class PriceChanged(msgspec.Struct, frozen=True, array_like=True, tag="price_changed"):
    """A grade's price from now on. `file_price`: what station.toml said then; `till` is empty where no till did it.

    Where headquarters set it, `list_version` is that of the list, and `from_ms` (UTC) from when on it holds by it.
    """

    grade: str
    price: UnitPrice
    file_price: UnitPrice
    till: str
    command_id: str
    source: PriceSource = PriceSource.STATION
    list_version: int = 0
    from_ms: int = 0


class PumpAlarm(msgspec.Struct, frozen=True, array_like=True, tag="alarm"):
    """A pump reported a fault."""

    point: int
    code: int
    text: str


Record = (
    Started
    | Stopped
    | Declined
    | Authorised
    | Released
    | Delivery
    | Settlement
    | UnrecordedDelivery
    | TotaliserRead
    | PumpAlarm
    | MeterChanged
    | TotaliserMismatch
    | TestMeasure
    | PriceChanged
    | Unreserved
    | Allotted
    | PinTried
    | PinLocked
    | PinUnlocked
    | Contact
    | PurseIntended
    | PurseDebited
    | PurseResolved
    | PurseRefunded
    | PurseReleased
    | Quoted
    | RedeemIntended
    | Redeemed
    | RedeemVoided
    | Presented
    | RulesTaken
    | OdometerReset
    | PinNoted
    | GrantIntended
    | GrantVoided
    | CodeTried
    | CodeLocked
    | ChargeIntended
)


class Body(msgspec.Struct, frozen=True, array_like=True):
    """The bytes that are chained: name, stamp, record."""

    name: RowName
    stamp: Stamp
    record: Record


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A row as it is kept and sent: its body's bytes and the hash of the chain up to it."""

    body: bytes
    hash: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Body)


class DamagedRow(ValueError):
    """A row's bytes are no row of ours, or do not follow the row before them."""


def encode_body(body: Body) -> bytes:
    return _encoder.encode(body)


def decode_body(data: bytes) -> Body:
    """The body back from its bytes. DamagedRow says what is wrong."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError, TypeError) as error:
        # A TypeError: a damaged file may give something else than bytes.
        raise DamagedRow(f"not a journal row: {error}") from error


def chain_hash(previous_hash: bytes, body: bytes) -> bytes:
    """SHA-256 over the hash before and this row's bytes."""
    return hashlib.sha256(previous_hash + body).digest()


def seal_row(previous_hash: bytes, body: Body) -> Row:
    data = encode_body(body)
    return Row(data, chain_hash(previous_hash, data))


def open_row(previous_hash: bytes, row: Row) -> Body:
    """The row's body, after checking that it follows `previous_hash`. DamagedRow if it does not."""
    body = decode_body(row.body)
    if chain_hash(previous_hash, row.body) != row.hash:
        raise DamagedRow(f"row {body.name.text} does not follow the row before it: the chain is broken here")
    return body


def kind_of(record: Record) -> str:
    """The record's tag: "started", "delivery" ..."""
    return str(type(record).__struct_config__.tag)
