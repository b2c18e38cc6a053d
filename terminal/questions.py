"""What a till asks its attendant besides money: a plate, an odometer, a fuel, an account. Answers become commands.

Holds the fuels that are being chosen from, and nothing else. Knows no keys, no Textual and no HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from controller.domain.codes import PREFIX as CODE_PREFIX
from controller.domain.desk import (
    AnswerNeed,
    AskBalance,
    AuthorisePoint,
    ExpectCard,
    GradeChoice,
    Need,
    Shown,
    Snapshot,
)
from terminal.effects import Back, Effects, OpenChoice, OpenEntry, Send
from terminal.offers import Deed, Offer, calling, offer
from terminal.pad import Preset

CARD_DIGITS_MIN = 10
"""A balance is asked by card from so many digits on; anything else is a plate."""
TITLES = {Need.PLATE: "PLATE", Need.ODOMETER: "ODOMETER, KM", Need.PIN: "PIN", Need.CODE: "DRIVER'S CODE"}
TITLES[Need.PHONE_CODE] = "CODE OF THE PHONE"
PHONE_SIGN, VOUCHER_SIGN = "+", "*"
"""No plate begins with these."""
ON_ACCOUNT = "Plate, or + and phone, or * and voucher, then Enter; or scan a code"
HINTS = {Need.PIN: "The driver types it: it is not shown. Then Enter"}


@dataclass(frozen=True, slots=True)
class Choosing:
    """The fuels of a pump that does not say which nozzle is lifted, and what was offered there."""

    offer: Offer

    @property
    def choices(self) -> tuple[GradeChoice, ...]:
        return self.offer.choices

    def find(self, typed: str) -> GradeChoice | None:
        """The fuel of this number."""
        return next((choice for choice in self.choices if str(choice.nozzle) == typed), None)


class Questions:
    """Opens questions and takes their answers. `say` tells the attendant something; `bad` says that it is no good."""

    def __init__(self, new_id: Callable[[], str], say: Callable[[str, bool], None]) -> None:
        self._new_id = new_id
        self._say = say
        self.choosing: Choosing | None = None

    def authorise(self, step: Offer) -> Effects:
        """Let it deliver, or ask which fuel first."""
        if step.choices:
            return self._choose(step)
        return [Send(self._command(step))]

    def answer(self, step: Offer, need: Need) -> Effects:
        """Ask what the station asks."""
        if need is Need.GRADE:
            return self._choose(step)
        if need not in TITLES:
            self._say("The station asks headquarters itself: wait for its answer", True)
            return []
        then = partial(self._answered, step, need)
        hint = HINTS.get(need, "Type it, then Enter")
        return [OpenEntry(f"PUMP {step.point}: {TITLES[need]}", hint, then, hidden=need is Need.PIN)]

    def type_plate(self, snapshot: Snapshot, till: str, point: int | None, preset: Preset | None) -> Effects:
        """Ask on whose account a pump shall deliver; without a number, the only one that calls."""
        if point is None:
            numbers = calling(snapshot)
            if len(numbers) != 1:
                self._say("Type the pump's number first: 4 F3", True)
                return []
            point = numbers[0]
        step = offer(snapshot, point, till, preset)
        if step.deed is not Deed.AUTHORISE:
            self._say(f"Pump {point} cannot deliver on a plate now: no nozzle is lifted, or it is unpaid", True)
            return []
        then = partial(self._plate_typed, step)
        return [OpenEntry(f"PUMP {point}: PLATE, PHONE, VOUCHER OR CODE", ON_ACCOUNT, then)]

    def name_card(self, snapshot: Snapshot, point: int | None) -> Effects:
        """Say which pump the next card at this till's reader is for; without a number, the only one that calls."""
        if point is None:
            numbers = calling(snapshot)
            if len(numbers) != 1:
                self._say("Type the pump's number first: 4 F4", True)
                return []
            point = numbers[0]
        return [Send(ExpectCard(self._new_id(), point))]

    def ask_account(self) -> Effects:
        return [OpenEntry("BALANCE", "Card number or plate, then Enter", self._account_typed)]

    def chosen(self, typed: str) -> Effects:
        """A fuel's number was typed."""
        choosing = self.choosing
        choice = choosing.find(typed) if choosing else None
        if choosing is None or choice is None:
            self._say("Type the number of a fuel, then Enter", True)
            return []
        # A grade that stands at two nozzles does not say which of them.
        alike = sum(other.grade == choice.grade for other in choosing.choices) > 1
        grade = str(choice.nozzle) if alike else choice.grade
        self.choosing = None
        step = choosing.offer
        if step.need is Need.GRADE:
            return [Back(), Send(AnswerNeed(self._new_id(), step.point, Need.GRADE, grade, step.question))]
        return [Back(), Send(self._command(step, grade=grade))]

    # Inside

    def _choose(self, step: Offer) -> Effects:
        self.choosing = Choosing(step)
        return [OpenChoice()]

    def _command(self, step: Offer, *, plate: str = "", shown: Shown | None = None, grade: str = "") -> AuthorisePoint:
        presets = step.preset_volume_ml, step.preset_amount_minor
        return AuthorisePoint(self._new_id(), step.point, plate, *presets, grade=grade, shown=shown)

    def _plate_typed(self, step: Offer, typed: str) -> Effects:
        """A plate, or what begins as none does."""
        if typed.startswith(PHONE_SIGN):
            return [Back(), Send(self._command(step, shown=Shown(phone=typed)))]
        if typed.startswith(VOUCHER_SIGN):
            return [Back(), Send(self._command(step, shown=Shown(voucher=typed.removeprefix(VOUCHER_SIGN))))]
        if typed.startswith(CODE_PREFIX):
            return [Back(), Send(self._command(step, shown=Shown(qr=typed)))]
        return [Back(), Send(self._command(step, plate=typed))]

    def _answered(self, step: Offer, need: Need, value: str) -> Effects:
        """Of the question that stood there when the entry was opened, whatever is asked by now."""
        if need is Need.ODOMETER and not (value.isdecimal() and value.isascii()):
            self._say("The odometer is a number of whole kilometres", True)
            return []
        if need is Need.PIN and not (value.isdecimal() and value.isascii()):
            self._say("A PIN has digits only", True)
            return []
        return [Back(), Send(AnswerNeed(self._new_id(), step.point, need, value, step.question))]

    def _account_typed(self, value: str) -> Effects:
        digits = value.replace(" ", "")
        is_card = digits.isdecimal() and len(digits) >= CARD_DIGITS_MIN
        asked = AskBalance(self._new_id(), card=digits) if is_card else AskBalance(self._new_id(), plate=value)
        self._say("Headquarters is asked …", False)
        return [Back(), Send(asked)]
