"""Fuel programmes at the till: a card that is shown for a delivery, its points, and points that pay.

Asks for what is typed and makes commands of it; what was shown stays with the open payment. Knows no keys, no Textual
and no HTTP.
"""

from collections.abc import Callable
from dataclasses import replace

from controller.domain.desk import AskPoints, CommandResult, ExpectShown, PresentAfter, SendCode, Shown
from terminal.effects import Back, Effects, OpenEntry, Send
from terminal.payment import Payment, Phase
from terminal.questions import CARD_DIGITS_MIN, PHONE_SIGN, VOUCHER_SIGN

WHAT = "A card's number or a plate; or + and a phone number, * and a voucher. Then Enter"
HOW_MANY = "How many points, then Enter; 0 for none. The rest is paid after that"
POINTS_DIGITS_MAX = 12


class Points:
    """`payment` gives the one that is open, `changed` takes its successor."""

    def __init__(
        self,
        new_id: Callable[[], str],
        say: Callable[[str, bool], None],
        payment: Callable[[], Payment | None],
        changed: Callable[[Payment], None],
    ) -> None:
        self._new_id = new_id
        self._say = say
        self._payment = payment
        self._changed = changed

    def show_card(self, last: str) -> Effects:
        """Show a card for the delivery that is open, or for `last`, which was paid just now."""
        payment = self._payment()
        delivery = payment.unpaid.delivery_id if payment is not None else last
        if not delivery:
            self._say("This till has taken no money yet since it was started", True)
            return []
        return [OpenEntry("CARD SHOWN", WHAT, lambda typed: self._shown(delivery, typed))]

    def card_at_reader(self, last: str) -> Effects:
        """The next card at this till's reader is shown for the delivery that is open, or for `last`."""
        payment = self._payment()
        delivery = payment.unpaid.delivery_id if payment is not None else last
        if not delivery:
            self._say("This till has taken no money yet since it was started", True)
            return []
        return [Send(ExpectShown(self._new_id(), delivery))]

    def is_worth(self, result: CommandResult) -> None:
        """An answer has said what a point pays."""
        payment = self._payment()
        if payment is None or not result.point_worth_minor or result.point_worth_minor == payment.point_worth_minor:
            return
        points = payment.points if payment.points * result.point_worth_minor <= payment.unpaid.amount_minor else 0
        self._changed(replace(payment, point_worth_minor=result.point_worth_minor, points=points))

    def balance(self) -> Effects:
        """Ask how many points there are."""
        return self._of_shown("POINTS", lambda shown: AskPoints(self._new_id(), shown))

    def send_code(self) -> Effects:
        """Have a one-time password sent."""
        return self._of_shown("SEND A CODE", lambda shown: SendCode(self._new_id(), shown))

    def use(self) -> Effects:
        """Ask how many points shall pay."""
        return self._when_open(lambda: [OpenEntry("POINTS TO USE", HOW_MANY, self._points_typed)])

    def proof(self) -> Effects:
        """Ask for the code or the PIN that the customer has."""
        hint = "The code that was sent, or the PIN: it is not shown. Then Enter"
        return self._when_open(lambda: [OpenEntry("CODE OR PIN", hint, self._proof_typed, hidden=True)])

    # Inside

    def _when_open(self, then: Callable[[], Effects]) -> Effects:
        payment = self._payment()
        if payment is None or payment.phase not in {Phase.OPENING, Phase.OPEN}:
            self._say("Open the payment first: the pump's number, then Enter", True)
            return []
        return then()

    def _of_shown(self, title: str, make: Callable[[Shown], AskPoints | SendCode]) -> Effects:
        payment = self._payment()
        if payment is not None and payment.shown is not None:
            self._say("Headquarters is asked …", False)
            return [Send(make(payment.shown))]

        def typed(text: str) -> Effects:
            shown = shown_of(text)
            self._keep(shown)
            self._say("Headquarters is asked …", False)
            return [Back(), Send(make(shown))]

        return [OpenEntry(title, WHAT, typed)]

    def _shown(self, delivery: str, typed: str) -> Effects:
        shown = shown_of(typed)
        self._keep(shown)
        return [Back(), Send(PresentAfter(self._new_id(), delivery, shown))]

    def _keep(self, shown: Shown) -> None:
        payment = self._payment()
        if payment is not None:
            self._changed(replace(payment, shown=shown))

    def _points_typed(self, typed: str) -> Effects:
        payment = self._payment()
        if not (typed.isascii() and typed.isdecimal() and len(typed) <= POINTS_DIGITS_MAX):
            self._say("Points are a whole number", True)
            return []
        if payment is not None:
            if int(typed) and not payment.point_worth_minor:
                self._say("Ask for the balance first (F5): programmes differ here in what a point pays", True)
                return []
            if int(typed) * payment.point_worth_minor > payment.unpaid.amount_minor:
                self._say("That is more than there is to pay", True)
                return []
            self._changed(replace(payment, points=int(typed)))
        return [Back()]

    def _proof_typed(self, typed: str) -> Effects:
        payment = self._payment()
        if payment is not None:
            self._changed(replace(payment, proof=typed))
        return [Back()]


def shown_of(typed: str) -> Shown:
    """What was typed, by how it begins: + a phone number, * a voucher, only digits a card, anything else a plate."""
    if typed.startswith(PHONE_SIGN):
        return Shown(phone=typed)
    if typed.startswith(VOUCHER_SIGN):
        return Shown(voucher=typed.removeprefix(VOUCHER_SIGN))
    digits = typed.replace(" ", "")
    if digits.isascii() and digits.isdecimal() and len(digits) >= CARD_DIGITS_MIN:
        return Shown(card=digits)
    return Shown(plate=typed)
