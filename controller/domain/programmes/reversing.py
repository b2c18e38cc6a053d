"""Reversals: a sale or a redemption is taken back by new postings, in any order, as if it had never been."""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import month_of, period_name
from controller.domain.programmes.events import ReverseSale
from controller.domain.programmes.members import Holder
from controller.domain.programmes.periods import correct
from controller.domain.programmes.purses import Voucher
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.sale_book import NOBODY, OWN_NETWORK, PAID_AND_GONE, REVERSED


def reverse(books: Books, event: ReverseSale) -> Answer:
    """Undo a sale (points, rebate, money, debt) or a redemption (points back into their lots)."""
    sales = books.sales
    number = sales.find(event.sale)
    if number is None:
        return decline(books, event, Reason.SALE_UNKNOWN)
    if sales.is_flagged(number, REVERSED):
        return decline(books, event, Reason.ALREADY_REVERSED)
    rule = books.rules.pay_and_go
    charged = sales.is_flagged(number, PAID_AND_GONE)
    if event.by == "member" and charged and rule is not None and not rule.member_may_reverse:
        return decline(books, event, Reason.NOT_REVERSIBLE)
    sales.flags[number] |= REVERSED
    if number in sales.redemptions:
        put_back(books, event.ref, number)
        return accept(books, event)
    if sales.holder[number] == NOBODY:
        return accept(books, event)
    holder = books.holders[sales.holder[number]]
    if holder.kind == "customer":
        _rebate_back(books, event.ref, holder, number)
    elif holder.kind == "contract":
        _gas_back(books, event.ref, holder, number)
    debt = sales.debts.pop(number, 0)
    if debt:
        books.move_debt(event.ref, holder, -debt)
    taken = take_back(books, event.ref, number) if holder.kind in ("person", "organisation") else 0
    use = books.day_use.get(holder.index)
    today = books.time.day(sales.at_ms[number]) == books.time.day(books.now_ms)
    # A review begins the day's volume anew: what was sold before it is not in it.
    if use is not None and today and number >= holder.reviewed_sales:
        use.volume_ml = max(use.volume_ml - sales.volume_ml[number], 0)
    return accept(books, event, points=-taken) if taken else accept(books, event)


def take_back(books: Books, ref: str, number: int) -> int:
    """Take back what a sale earned; what was spent of it already makes the balance negative. How much."""
    sales = books.sales
    points = sales.earned[number]
    holder = books.holders[sales.holder[number]]
    if not holder.purses:
        return 0
    account = books.purse(holder, books.programme.purse_names[sales.purse[number]])
    books.look_at_points(account)
    if not points:
        return 0
    sales.earned[number] = 0
    books.add_points(ref, account, "company:earned", sales.expiry_ms[number], -points)
    books.settle(account, ref)
    use = books.day_use.get(holder.index)
    if use is not None and number in use.numbers:
        use.numbers.remove(number)
        use.points -= points
        use.sales -= 1
    return points


def put_back(books: Books, ref: str, number: int) -> None:
    """Points of a redemption go back into the lots they came from; those of a cancelled voucher into the purse's."""
    account, pieces = books.sales.redemptions[number]
    if isinstance(account, Voucher) and account.cancelled:
        account = account.purse
    for expiry_ms, points in pieces:
        books.add_points(ref, account, "company:redeemed", expiry_ms, points)
    books.settle(account, ref)


def _rebate_back(books: Books, ref: str, holder: Holder, number: int) -> None:
    rebate, books.sales.earned[number] = books.sales.earned[number], 0
    day = books.time.local(books.sales.at_ms[number]).toordinal()
    # The contract may have been opened again since, with periods of another length.
    for period in (period_name(day, True), period_name(day, False)):
        if number in books.rebates.get((holder.index, period), ()):
            books.move_rebate(ref, holder, period, -rebate)


def _gas_back(books: Books, ref: str, holder: Holder, number: int) -> None:
    sales, contract = books.sales, holder.contract
    assert contract is not None
    books.move_money(ref, holder, sales.acquirers.get(number, "company:gas"), sales.paid_by_account(number))
    if sales.is_flagged(number, OWN_NETWORK):
        month = month_of(books.time.local(sales.at_ms[number]).toordinal())
        volume = contract.volume_of(month)
        volume.volume_ml -= sales.volume_ml[number]
        volume.amount_minor -= sales.amount_minor[number]
        correct(books, ref, holder, month)
