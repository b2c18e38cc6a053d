"""Contracts of customers and counterparties: opened, closed, paid into; and the orders that set their discounts."""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import CloseContract, OpenContract, PayIn, PublishOrder
from controller.domain.programmes.ledger import MONEY
from controller.domain.programmes.members import Holder, Kind
from controller.domain.programmes.orders import Order
from controller.domain.programmes.prepaid import Contract
from controller.domain.programmes.reasons import Reason


def open_contract(books: Books, event: OpenContract) -> Answer:
    """A customer with a discount, or a counterparty with an account. A closed contract may be opened again."""
    kind: Kind = "customer" if event.customer is not None else "contract"
    offered = books.rules.rebate if kind == "customer" else books.rules.prepaid
    if offered is None:
        return decline(books, event, Reason.NOT_OFFERED)
    name = event.customer or event.contract or ""
    holder = books.holder_of.get(name)
    if holder is not None and (holder.kind != kind or holder.contract is None or holder.contract.is_open):
        return decline(books, event, Reason.CONTRACT_EXISTS)
    if holder is None:
        holder = books.add_holder(name, kind)
    if holder.contract is None:
        holder.contract = Contract(f"money:{name}", prepaid=False)
    holder.contract.prepaid = bool(event.prepaid)
    holder.contract.open(books.now_ms)
    holder.discount = event.discount
    holder.half = event.period == "half"
    _look_at(books, holder)
    return accept(books, event)


def close_contract(books: Books, event: CloseContract) -> Answer:
    """From now on its cards get nothing."""
    holder = books.holder_of.get(event.customer or event.contract or "")
    kind = "customer" if event.customer is not None else "contract"
    if holder is None or holder.contract is None or holder.kind != kind:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    _look_at(books, holder)
    if not holder.contract.is_open:
        return decline(books, event, Reason.CONTRACT_NOT_VALID)
    holder.contract.close(books.now_ms)
    return accept(books, event)


def pay_in(books: Books, event: PayIn) -> Answer:
    """Money in (or, negative, a payment that was returned): to a counterparty's account, or against a debt."""
    holder = books.holder_of.get(event.contract)
    if holder is not None and holder.kind == "contract":
        books.move_money(event.ref, holder, "company:paid_in", event.amount_minor)
        return accept(books, event)
    if holder is None or books.rules.pay_and_go is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    books.move_debt(event.ref, holder, -event.amount_minor)
    return accept(books, event)


def publish_order(books: Books, event: PublishOrder) -> Answer:
    """A dated table of tiers; the one in force on a month's last day decides on the month."""
    if books.rules.volume_discount is None:
        return decline(books, event, Reason.NOT_OFFERED)
    if any(order.name == event.order for order in books.orders):
        return decline(books, event, Reason.ORDER_EXISTS)
    books.orders.append(Order(event.order, event.valid_from.toordinal(), event.tiers))
    return accept(books, event)


def _look_at(books: Books, holder: Holder) -> None:
    if holder.kind == "contract" and holder.contract is not None:
        books.look_at(MONEY, holder.contract.account)
