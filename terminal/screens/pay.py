"""Taking money: the amount, what was given, the change large, and then the receipt."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll

from controller.domain.quantities import decimal_text
from terminal.offers import whole
from terminal.pad import Place, plain_decimal
from terminal.payment import Payment, Phase
from terminal.screens.base import Dialog
from terminal.view import View
from terminal.widgets.bars import Line
from terminal.widgets.large import large

_SAYS = {
    Phase.OPENING: "Opening …",
    Phase.OPEN: "Enter: exact cash    500 Enter: cash    F2: bank card    F3: card shown    F4: points    Esc: back",
    Phase.PAYING: "The station is booking it …",
    Phase.DOUBT: "Enter: ask again whether it was booked (it is never booked twice)    Esc: back",
    Phase.PAID: "Paid. Enter, or a pump's number    F3: card shown    F8: at the reader",
}


class PaymentScreen(Dialog):
    """Shows the view's payment."""

    place = Place.PAYMENT

    def compose_panel(self) -> ComposeResult:
        with Horizontal(id="payment", classes="panel"):
            with Vertical(id="sums"):
                yield Line(id="what")
                yield Line(id="amount-name", classes="name")
                yield Line(id="amount", classes="large")
                yield Line(id="given-name", classes="name")
                yield Line(id="given", classes="large")
                yield Line(id="change-name", classes="name")
                yield Line(id="change", classes="large")
                yield Line(id="says")
            with VerticalScroll(id="paper", can_focus=False):
                yield Line(id="receipt")

    def show(self, view: View) -> None:
        super().show(view)
        if view.payment is None or view.snapshot is None or not self.query("#says"):
            return
        payment, decimals, currency = view.payment, view.snapshot.decimals, view.snapshot.currency
        unpaid = payment.unpaid
        volume = f"{decimal_text(unpaid.volume_ml // 10, 2)} {unpaid.unit}"
        self._say("what", f"Pump {unpaid.point}   {unpaid.grade}   {volume}   at {unpaid.price}")
        points = f"   AFTER {payment.points} POINTS" if payment.points else ""
        self._say("amount-name", f"TO PAY  {currency}{points}")
        self._large("amount", decimal_text(payment.due_minor, decimals))
        given = _given(payment, view, decimals)
        self._say("given-name", "GIVEN" if given else "")
        self._large("given", given)
        change = _change(payment, given, decimals)
        self._say("change-name", f"CHANGE  {currency}" if change else "")
        self._large("change", change)
        self._say("says", payment.text if payment.text and payment.phase is not Phase.PAID else "")
        if not (payment.text and payment.phase is not Phase.PAID):
            self._say("says", _SAYS[payment.phase])
        self.query_one("#paper").display = bool(payment.receipt)
        self._say("receipt", payment.receipt)

    def _say(self, name: str, text: str) -> None:
        self.query_one(f"#{name}", Line).say(text)

    def _large(self, name: str, text: str) -> None:
        self._say(name, "\n".join(large(text)) if text else "")


def _given(payment: Payment, view: View, decimals: int) -> str:
    if payment.phase is Phase.PAID:
        return decimal_text(payment.paid_minor, decimals) if payment.change_minor else ""
    return view.pad.value


def _change(payment: Payment, given: str, decimals: int) -> str:
    if payment.phase is Phase.PAID:
        return decimal_text(payment.change_minor, decimals)
    try:
        change = whole(plain_decimal(given), decimals) - payment.due_minor if given.strip(".") else 0
    except ValueError:
        return ""
    return decimal_text(change, decimals) if change > 0 else ""
