"""The words between the station and its tills: snapshots that go out, commands that come in.

The terminal, the station's API and its client share these and nothing else. Every command carries an id and may
be repeated: the second time gets the first answer. Knows no HTTP and no screen.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from controller.domain.records import TenderKind

HEARTBEAT_MS = 1_000
"""The station sends a snapshot at least this often, so that a frozen number can be told from a live one."""
STALE_AFTER_MS = 2_000
"""A screen whose last snapshot is older than this must look dead."""
LEASE_MS = 60_000
"""How long a till keeps a sale to itself without saying anything."""


class PointState(StrEnum):
    """What a fuelling point is doing, as its tile shows it."""

    IDLE = "idle"
    CALLING = "calling"
    DECIDING = "deciding"
    AUTHORISED = "authorised"
    FUELLING = "fuelling"
    COMPLETED = "completed"
    """The pump is done and its delivery is being written down."""
    STOPPED = "stopped"
    REFUSED = "refused"
    ERROR = "error"
    OFFLINE = "offline"
    CLOSED = "closed"


class Need(StrEnum):
    """What a decision still wants to know."""

    PLATE = "plate"
    ODOMETER = "odometer"
    GRADE = "grade"
    """The pump does not say which of its nozzles was lifted."""
    PIN = "pin"
    """The driver types it, and nobody reads it."""
    CODE = "code"
    """The driver's own code."""
    PHONE_CODE = "phone_code"
    """What headquarters has sent to the driver's phone."""
    HEADQUARTERS = "headquarters"
    """Nobody at the station can answer this: the station asks headquarters itself."""


class GradeChoice(msgspec.Struct, frozen=True):
    """What a nozzle gives: `grade` is its code, `price` what the pump shows."""

    nozzle: int
    grade: str
    name: str
    price: str


class UnpaidView(msgspec.Struct, frozen=True):
    """A delivery that waits to be paid. `leased_to` is the till that has it open, or empty."""

    delivery_id: str
    point: int
    grade: str
    unit: str
    volume_ml: int
    amount_minor: int
    price: str
    ended_ms: int
    leased_to: str


class PointView(msgspec.Struct, frozen=True):
    """A fuelling point as a tile shows it. `text` says in a sentence what is wrong or wanted, or is empty.

    `choices`: a nozzle is out and nobody knows which; these are the point's, and one of them must be named.
    """

    number: int
    state: PointState
    since_ms: int
    grade: str = ""
    unit: str = "l"
    price: str = ""
    volume_ml: int = 0
    amount_minor: int = 0
    token: str = ""
    need: Need | None = None
    reason: str = ""
    text: str = ""
    unpaid: tuple[UnpaidView, ...] = ()
    choices: tuple[GradeChoice, ...] = ()
    question: str = ""
    """The id of what `need` says is asked; another one each time that something is asked."""


class LinkView(msgspec.Struct, frozen=True):
    """The link to headquarters: rows that wait to be sent, and since when it is down (0: it is up)."""

    configured: bool
    connected: bool
    waiting_rows: int
    down_since_ms: int


class Trouble(msgspec.Struct, frozen=True):
    """Something at the station wants a person: `where` it is, and `text`, what happened and what to do."""

    where: str
    text: str
    since_ms: int


class Snapshot(msgspec.Struct, frozen=True):
    """All that a till shows, at one moment. `version` grows with every change."""

    station: str
    station_name: str
    simulated: bool
    currency: str
    decimals: int
    at_ms: int
    version: int
    points: tuple[PointView, ...]
    link: LinkView
    troubles: tuple[Trouble, ...]
    journal_head: str
    sales: int
    time_zone: str = ""
    """The station's, for the clocks of its tills: "Europe/Istanbul"; empty for the till's own."""
    point_worth_minor: int = 1
    """What a point pays, in minor units; 0 where the station's programmes differ: then an answer says it."""


COMMAND_ID_LETTERS = 64
"""A command id is a name made up by a till, such as 32 hex digits."""
QUANTITY_MAX = 10**12
"""Above anything a station sells, below what a journal row can hold: a typing error must not reach the journal."""
CommandId = Annotated[str, msgspec.Meta(min_length=1, max_length=COMMAND_ID_LETTERS)]
Quantity = Annotated[int, msgspec.Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
Typed = Annotated[str, msgspec.Meta(max_length=200)]
"""What a person typed."""


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    command_id: CommandId


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token that was typed or scanned at a till: one of these. A `qr` is the text of the code."""

    card: Typed = ""
    plate: Typed = ""
    phone: Typed = ""
    qr: Typed = ""
    voucher: Typed = ""


class AuthorisePoint(_Command, frozen=True, tag="authorise"):
    """Let a calling pump deliver: for cash, or on the account of `plate`, or of what was `shown`. At most one preset.

    `grade`: the code of what the customer takes, or the nozzle's number. Only a pump that does not say it needs that
    (`PointView.choices`); elsewhere the lifted nozzle must be of this grade.
    """

    point: int
    plate: Typed = ""
    preset_volume_ml: Quantity | None = None
    preset_amount_minor: Quantity | None = None
    grade: Typed = ""
    shown: Shown | None = None


class SeePlate(_Command, frozen=True, tag="see_plate"):
    """A device has read a plate at this pump: a camera, or a reader of tags at vehicles' tanks.

    Which of them is in station.toml, by its token (`sees`): it says nothing else, and nobody else says this.
    """

    point: int
    plate: Typed


class AnswerNeed(_Command, frozen=True, tag="answer"):
    """What a decision asked for at this pump: a plate, whole kilometres, a grade's code or its nozzle's number.

    `question`: the id of what is answered (`PointView.question`). Without it, or once something else is asked, it is
    refused: an answer never meets another question than was read.
    """

    point: int
    need: Need
    value: Typed
    question: Typed = ""


class StopPoint(_Command, frozen=True, tag="stop"):
    point: int


class StopAll(_Command, frozen=True, tag="stop_all"):
    pass


class LeaseDelivery(_Command, frozen=True, tag="lease"):
    """Open a waiting delivery at this till: no other till can settle it until it is released or the lease ends."""

    delivery_id: str


class ReleaseDelivery(_Command, frozen=True, tag="release"):
    delivery_id: str


class PayDelivery(_Command, frozen=True, tag="pay"):
    """Settle a delivery that this till has leased. `given_minor`: what was handed over: in cash at least
    the amount, by bank card exactly it; with `points`, of what they leave.

    `points`: to be spent first, of the token that `shown` names (empty: of the delivery's own), with the proof that
    its programme asks for: the one-time password in `code`, or a PIN. A `voucher` is spent with its driver's PIN.
    """

    delivery_id: str
    tender: TenderKind
    given_minor: Quantity
    points: Quantity = 0
    shown: Shown | None = None
    code: Typed = ""
    pin: Typed = ""
    voucher: Typed = ""


class PresentAfter(_Command, frozen=True, tag="present_after"):
    """A token is shown for a delivery that is done: the last unpaid or just paid one at a pump."""

    delivery_id: str
    shown: Shown


class AskPoints(_Command, frozen=True, tag="points"):
    """How many points has the holder of this token? Headquarters' word, or the list's, which is older."""

    shown: Shown


class SendCode(_Command, frozen=True, tag="send_code"):
    """Send a one-time password to the registered phone of the holder of this token."""

    shown: Shown


class AskBalance(_Command, frozen=True, tag="balance"):
    """What headquarters knows of the account of a card number or a plate: one of the two."""

    card: Typed = ""
    plate: Typed = ""


class SuspendPoint(_Command, frozen=True, tag="suspend"):
    """Hold a running delivery. Done when the pump says that it holds."""

    point: int


class ResumePoint(_Command, frozen=True, tag="resume"):
    """Let a held delivery go on. Done when the pump says that it goes on."""

    point: int


class ReadPumpTotals(_Command, frozen=True, tag="read_totals"):
    """Read the totalisers of all nozzles of an idle pump. The answer carries them."""

    point: int


class IdentifyPump(_Command, frozen=True, tag="identify"):
    """Ask a pump what it is. The answer's text says it."""

    point: int


class ChangePrice(_Command, frozen=True, tag="change_price"):
    """From now on a unit of the grade costs `price`, decimal text such as "45.10". A pump takes it when it is idle."""

    grade: Typed
    price: Typed


class CloseAsTest(_Command, frozen=True, tag="test_measure"):
    """Close an unpaid delivery that this till has leased without a sale: it was measured and put back into the tank."""

    delivery_id: str


class Allot(_Command, frozen=True, tag="allot"):
    """Headquarters has set money apart at this station, for a prepaid account or for one card of it: one of the two.

    `allotment_id` is headquarters' own name of it: it counts once, however often it is told. `valid_until`: its last
    day at the station, such as 2026-12-31; empty: it lasts.
    """

    allotment_id: Typed
    amount_minor: Quantity
    account: Typed = ""
    card: Typed = ""
    valid_until: Typed = ""


class UnlockPin(_Command, frozen=True, tag="unlock_pin"):
    """The wrong PINs and codes of a card number or a plate, one of the two, are forgotten at this station."""

    card: Typed = ""
    plate: Typed = ""


class ExpectCard(_Command, frozen=True, tag="expect_card"):
    """The next card at this till's own reader is for this pump."""

    point: int


class ExpectShown(_Command, frozen=True, tag="expect_shown"):
    """The next card at this till's own reader is shown for this delivery, which waits or was paid just now."""

    delivery_id: str


class ReleasePurse(_Command, frozen=True, tag="release_purse"):
    """Headquarters has taken over what a card's purse has still to get: `release` is the text that it signed."""

    release: Typed


class Unreserve(_Command, frozen=True, tag="unreserve"):
    """What became of money that is reserved for a lost delivery, where no totaliser will tell it.

    By `row`, the name of the row that authorised, or by `point`, if it is the only one there. `spent_minor`: of what is
    reserved; None: all of it. `reason`: how it is known; it stays in the journal.
    """

    point: int = 0
    row: Typed = ""
    spent_minor: Quantity | None = None
    reason: Typed = ""


class ResetOdometer(_Command, frozen=True, tag="reset_odometer"):
    """The last odometer of a card number or a plate, one of the two, was mistyped: the next one counts as the first."""

    card: Typed = ""
    plate: Typed = ""


CardCommand = ExpectCard | ExpectShown | ReleasePurse
"""What is done with cards, beside selling."""
ManagerCommand = Allot | UnlockPin | Unreserve | ResetOdometer | ReleasePurse | ChangePrice
"""What only a manager says: he gives money, takes locks away, or changes what everybody pays."""
PumpCommand = SuspendPoint | ResumePoint | ReadPumpTotals | IdentifyPump
"""What the pump itself answers."""
Command = (
    AuthorisePoint
    | SeePlate
    | AnswerNeed
    | StopPoint
    | StopAll
    | LeaseDelivery
    | ReleaseDelivery
    | PayDelivery
    | AskBalance
    | PresentAfter
    | AskPoints
    | SendCode
    | PumpCommand
    | ChangePrice
    | CloseAsTest
    | Allot
    | UnlockPin
    | Unreserve
    | ResetOdometer
    | CardCommand
)


class NozzleTotal(msgspec.Struct, frozen=True):
    """A nozzle's volume totaliser, in thousandths of the grade's unit."""

    nozzle: int
    grade: str
    unit: str
    totaliser_ml: int


class CommandResult(msgspec.Struct, frozen=True):
    """The answer to a command. `reason` is a code of the catalogue when it was not done, `text` says it.

    `receipt` is the readable receipt of a payment; `change_minor` what is to be given back; `totals` what was read.
    `point_worth_minor`: what a point of the holder who was asked for pays; 0 where nobody was.
    """

    command_id: str
    done: bool
    reason: str = ""
    text: str = ""
    change_minor: int = 0
    receipt: str = ""
    totals: tuple[NozzleTotal, ...] = ()
    point_worth_minor: int = 0
