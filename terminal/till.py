"""The till itself, without its screen: keys, snapshots and answers in; commands and wishes for screens out.

Knows no Textual and no HTTP; time and ids come in from outside. Holds what is being typed, the payment that is
open and the last receipt, and nothing that the station does not know better.
"""

from collections.abc import Callable
from dataclasses import replace

from controller.domain.desk import (
    LEASE_MS,
    STALE_AFTER_MS,
    AskBalance,
    AskPoints,
    AuthorisePoint,
    Command,
    CommandResult,
    LeaseDelivery,
    PayDelivery,
    PresentAfter,
    ReleaseDelivery,
    Snapshot,
    StopAll,
    StopPoint,
    UnpaidView,
)
from controller.domain.quantities import decimal_text
from controller.domain.records import TenderKind
from terminal.effects import Back, Effects, OpenPaper, OpenPayment, Send, Turn
from terminal.glance import MS_PER_S
from terminal.offers import Deed, calling, offer, whole
from terminal.pad import (
    EMPTY,
    AskAccount,
    AskForPoints,
    AuthoriseCalling,
    CardAtReader,
    ChooseFuel,
    DoNext,
    Hint,
    Intent,
    Leave,
    NameCard,
    Pad,
    PayAndGo,
    PayCard,
    PayCash,
    Place,
    Preset,
    SendTheCode,
    ShowCard,
    ShowHelp,
    ShowReceipt,
    Stop,
    StopEverything,
    TurnPage,
    TypePlate,
    TypeProof,
    UsePoints,
    press,
)
from terminal.payment import Payment, Phase, Wish
from terminal.points import Points
from terminal.questions import Questions
from terminal.view import Outcome, View
from terminal.words import describe, said, summary

BLINK_MS = 500
"""Half of a blink at 1 Hz."""
BAD_KEPT_MS = 4_000
"""A refusal stays at least so long: a success that follows it must not hide it."""


class Till:
    """One till's state. Every method takes what happened and returns what is to be done."""

    def __init__(
        self, monotonic_ms: Callable[[], int], new_id: Callable[[], str], *, demonstration: bool = False
    ) -> None:
        self._monotonic_ms = monotonic_ms
        self._demonstration = demonstration
        self._new_id = new_id
        self._name = ""
        self._snapshot: Snapshot | None = None
        self._heard_ms = monotonic_ms()
        self._link_text = ""
        self._pad = EMPTY
        self._outcome = Outcome()
        self._outcome_ms = 0
        self._payment: Payment | None = None
        self._receipt = ""
        self._paid_last = ""
        """The delivery that this till took money for last."""
        self._unanswered: Command | None = None
        self._questions = Questions(new_id, lambda text, bad: self._say(text, bad=bad))
        self._points = Points(
            new_id, lambda text, bad: self._say(text, bad=bad), lambda: self._payment, self._payment_changed
        )

    # What happens

    def known(self, name: str) -> None:
        """The station has said which till this is."""
        self._name = name

    def heard(self, snapshot: Snapshot, arrived_ms: int) -> None:
        """A snapshot came."""
        self._snapshot = snapshot
        self._heard_ms = arrived_ms
        self._link_text = ""

    def lost(self, text: str) -> None:
        """The stream broke."""
        self._link_text = text

    def press(self, key: str, place: Place) -> Effects:
        """A key of the pad, or its button."""
        if key == "escape" and place is Place.BOARD:
            self._unanswered = None
        self._pad, intent = press(self._pad, key, self._place(place))
        effects = self._do(intent) if intent else []
        if self._payment is not None and self._pad.point:
            self._pad = EMPTY
        return effects

    def choose(self, point: int) -> None:
        """A tile was clicked: its number is typed."""
        self._pad = Pad(point=str(point))

    def tick(self) -> Effects:
        """Time has passed: keep an open delivery ours."""
        payment, now = self._payment, self._monotonic_ms()
        if payment and payment.phase is Phase.OPEN and now - payment.leased_ms > LEASE_MS // 2:
            self._payment = replace(payment, leased_ms=now)
            return [Send(LeaseDelivery(self._new_id(), payment.unpaid.delivery_id))]
        return []

    def answered(self, command: Command, result: CommandResult, place: Place) -> Effects:
        """The station has answered."""
        if self._unanswered is not None and self._unanswered.command_id == command.command_id:
            self._unanswered = None
        match command:
            case LeaseDelivery():
                return self._leased(command, result)
            case PayDelivery():
                return self._paid(command, result)
            case ReleaseDelivery() if result.done:
                return []
            case PresentAfter() if result.done:
                self._receipt = result.receipt or self._receipt
                if self._payment is not None and result.receipt:
                    self._payment = replace(self._payment, receipt=result.receipt)
                self._points.is_worth(result)
            case AskPoints() if result.done:
                self._points.is_worth(result)
            case AskBalance() if result.done and place is Place.BOARD:
                return [OpenPaper("BALANCE", result.text)]
        self._say(result.text or said(command, result), bad=not result.done)
        return []

    def unanswered(self, command: Command, text: str) -> Effects:
        """Nobody knows whether this was done."""
        payment = self._payment
        match command:
            case StopAll() | StopPoint():
                self._say(f"{describe(command).upper()} IS NOT CONFIRMED: USE THE EMERGENCY SWITCH. {text}", bad=True)
            case PayDelivery() if payment and payment.sent == command:
                self._payment = replace(payment, phase=Phase.DOUBT)
                self._say(f"Not known whether it was booked. {text}", bad=True)
            case LeaseDelivery():
                self._say(text, bad=True)
                if payment and payment.phase is Phase.OPENING and payment.unpaid.delivery_id == command.delivery_id:
                    return self._close_payment()
            case ReleaseDelivery():
                pass
            case _:
                self._unanswered = command
                self._say(f"Not known whether it was done: {describe(command)}. {text}", bad=True)
        return []

    def complain(self, text: str) -> None:
        """A fault of the terminal itself."""
        self._say(text, bad=True)

    def view(self, place: Place) -> View:
        """What is to be shown now, on the screen of `place`."""
        now = self._monotonic_ms()
        age_ms = max(0, now - self._heard_ms)
        stale = age_ms > STALE_AFTER_MS
        return View(
            snapshot=self._snapshot,
            age_ms=age_ms // MS_PER_S * MS_PER_S if stale else 0,
            stale=stale,
            lit=now // BLINK_MS % 2 == 0,
            till=self._name,
            link_text=self._link_text,
            place=self._place(place),
            pad=self._pad,
            offer=self._offer_text(stale),
            outcome=self._outcome,
            payment=self._payment,
            choosing=self._questions.choosing,
            demonstration=self._demonstration,
        )

    # What the attendant wants

    def _do(self, intent: Intent) -> Effects:
        match intent:
            case StopEverything():
                self._say("STOP ALL is being sent …")
                return [Send(StopAll(self._new_id()))]
            case Stop(point):
                self._say(f"Stop of pump {point} is being sent …")
                return [Send(StopPoint(self._new_id(), point))]
            case Leave():
                return self._leave()
            case Hint(text):
                self._say(text, bad=True)
            case TurnPage(step):
                return [Turn(step)]
            case ShowReceipt():
                if self._receipt:
                    return [OpenPaper("LAST RECEIPT ── COPY", self._receipt)]
                self._say("This till has taken no money yet since it was started", bad=True)
            case ShowHelp(point):
                snapshot = self._snapshot
                now = offer(snapshot, point, self._name).text if snapshot and point is not None else ""
                return [OpenPaper("HELP", now, help=True)]
            case _:
                return self._do_live(intent)
        return []

    def _do_live(self, intent: Intent) -> Effects:
        """What needs a station that is heard: nothing is sold by a picture that may be old."""
        snapshot = self._snapshot
        if snapshot is None or self._stale():
            self._say("No link to the station: nothing was sent", bad=True)
            return []
        if intent != DoNext(None):  # one Enter too many must not wipe away why the last thing failed
            self._outcome = Outcome()
        match intent:
            case PayCash(given):
                return self._pay_cash(given, snapshot.decimals)
            case PayCard() if self._payment:
                return self._pay(Wish(TenderKind.BANK_CARD, self._payment.due_minor))
            case PayAndGo() if self._payment:
                return self._pay(Wish(TenderKind.PAY_AND_GO, self._payment.due_minor))
            case ShowCard():
                return self._points.show_card(self._paid_last)
            case CardAtReader():
                return self._points.card_at_reader(self._paid_last)
            case UsePoints():
                return self._points.use()
            case AskForPoints():
                return self._points.balance()
            case TypeProof():
                return self._points.proof()
            case SendTheCode():
                return self._points.send_code()
            case DoNext(None):
                if self._unanswered is not None:
                    return [Send(self._unanswered)]
            case DoNext(int(point), preset):
                return self._next(snapshot, point, preset)
            case AuthoriseCalling():
                numbers = calling(snapshot)
                if not numbers:
                    self._say("No pump calls", bad=True)
                return [Send(AuthorisePoint(self._new_id(), number)) for number in numbers]
            case NameCard(point):
                return self._questions.name_card(snapshot, point)
            case TypePlate(point, preset):
                return self._questions.type_plate(snapshot, self._name, point, preset)
            case AskAccount():
                return self._questions.ask_account()
            case ChooseFuel(typed):
                return self._questions.chosen(typed)
        return []

    def _next(self, snapshot: Snapshot, point: int, preset: Preset | None) -> Effects:
        step = offer(snapshot, point, self._name, preset)
        match step.deed:
            case Deed.AUTHORISE:
                return self._questions.authorise(step)
            case Deed.PAY if step.unpaid:
                return self._open_payment(step.unpaid)
            case Deed.ANSWER if step.need:
                return self._questions.answer(step, step.need)
        self._say(step.text, bad=True)
        return []

    # A payment

    def _open_payment(self, unpaid: UnpaidView) -> Effects:
        worth_minor = self._snapshot.point_worth_minor if self._snapshot else 0
        self._payment = Payment(unpaid, Phase.OPENING, self._monotonic_ms(), point_worth_minor=worth_minor)
        return [OpenPayment(), Send(LeaseDelivery(self._new_id(), unpaid.delivery_id))]

    def _pay_cash(self, given: str, decimals: int) -> Effects:
        payment = self._payment
        if payment is None:
            return []
        if payment.phase is Phase.DOUBT:
            return self._pay(Wish(TenderKind.CASH, 0))
        try:
            given_minor = whole(given, decimals) if given else payment.due_minor
        except ValueError as error:
            self._say(str(error), bad=True)
            return []
        missing = payment.due_minor - given_minor
        if missing > 0:
            self._say(f"Too little: {decimal_text(missing, decimals)} is missing", bad=True)
            return []
        return self._pay(Wish(TenderKind.CASH, given_minor))

    def _pay(self, wish: Wish) -> Effects:
        payment = self._payment
        if payment is None:
            return []
        match payment.phase:
            case Phase.OPENING:
                self._payment = replace(payment, wish=wish)
            case Phase.OPEN:
                command = payment.command(self._new_id(), wish)
                self._payment = replace(payment, phase=Phase.PAYING, wish=wish, sent=command, text="")
                return [Send(command)]
            case Phase.DOUBT if payment.sent:
                # Another tender would be another command: the first may have been booked, so only it is repeated.
                self._payment = replace(payment, phase=Phase.PAYING)
                return [Send(payment.sent)]
        return []

    def _leased(self, command: LeaseDelivery, result: CommandResult) -> Effects:
        payment = self._payment
        if payment is None or payment.unpaid.delivery_id != command.delivery_id:
            return []
        if payment.phase not in {Phase.OPENING, Phase.OPEN}:
            return []
        if not result.done:
            self._say(result.text or result.reason, bad=True)
            return self._close_payment()
        opening = payment.phase is Phase.OPENING
        self._payment = replace(payment, phase=Phase.OPEN, leased_ms=self._monotonic_ms())
        return self._pay(payment.wish) if opening and payment.wish else []

    def _paid(self, command: PayDelivery, result: CommandResult) -> Effects:
        payment = self._payment
        mine = payment is not None and payment.sent is not None and payment.sent.command_id == command.command_id
        if result.done:
            self._receipt = result.receipt or self._receipt
            self._paid_last = command.delivery_id
        if payment is None or not mine:
            self._say(result.text or said(command, result), bad=not result.done)
        elif result.done:
            self._pad = EMPTY
            self._payment = replace(
                payment,
                phase=Phase.PAID,
                paid_minor=command.given_minor,
                change_minor=result.change_minor,
                receipt=result.receipt,
            )
            self._say(result.text or f"Pump {payment.unpaid.point}: paid")
        else:
            self._payment = replace(payment, phase=Phase.OPEN, wish=None, sent=None)
            self._say(result.text or result.reason, bad=True)
        return []

    def _leave(self) -> Effects:
        payment = self._payment
        if self._questions.choosing is not None:
            self._questions.choosing = None
            return [Back(all=True)]
        if payment is None:
            return [Back()]
        match payment.phase:
            case Phase.PAYING:
                self._say("The station is booking it: wait for its answer", bad=True)
                return []
            case Phase.PAID:
                return self._close_payment()
            case Phase.DOUBT:
                self._unanswered = payment.sent
                return self._close_payment()
        return [*self._close_payment(), Send(ReleaseDelivery(self._new_id(), payment.unpaid.delivery_id))]

    def _payment_changed(self, payment: Payment) -> None:
        self._payment = payment

    def _close_payment(self) -> Effects:
        self._payment = None
        return [Back(all=True)]

    # What is said

    def _place(self, place: Place) -> Place:
        paid = self._payment is not None and self._payment.phase is Phase.PAID
        return Place.READING if place is Place.PAYMENT and paid else place

    def _stale(self) -> bool:
        return self._monotonic_ms() - self._heard_ms > STALE_AFTER_MS

    def _say(self, text: str, *, bad: bool = False) -> None:
        now = self._monotonic_ms()
        if self._outcome.bad and not bad and now - self._outcome_ms < BAD_KEPT_MS:
            return
        self._outcome, self._outcome_ms = Outcome(text, bad), now

    def _offer_text(self, stale: bool) -> str:
        snapshot, pad = self._snapshot, self._pad
        if snapshot is None:
            return "Waiting for the station …"
        if stale:
            return "No link to the station: only stops are sent"
        if pad.number == 0:
            return "-  stops ALL pumps"
        if pad.operator and pad.preset is None:
            return f"Pump {pad.number}: type {'the money' if pad.operator == '*' else 'the litres'}, then Enter"
        if pad.number is not None:
            return offer(snapshot, pad.number, self._name, pad.preset).text
        if self._unanswered is not None:
            return f"Enter: send again: {describe(self._unanswered)}    Esc: let it be"
        return summary(snapshot)
