"""The end of a period: the volume discount of a prepaid contract, the rebate statement of a customer.

Closing is done once: a second time posts nothing and says what the first said. A sale of a closed month that is
reversed later corrects the discount by a new posting.
"""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Act, Answer, PeriodResult, Statement, StatementLine
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import Period, parse_period
from controller.domain.programmes.events import ClosePeriod
from controller.domain.programmes.ledger import MONEY, REBATE
from controller.domain.programmes.members import Holder
from controller.domain.programmes.orders import Order, discount_minor, in_force
from controller.domain.programmes.prepaid import Outcome
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import PRODUCTS
from controller.domain.programmes.sale_book import REVERSED
from controller.domain.quantities import MILLI, decimal_text, power_of_ten

PRICE_DECIMALS = 2
"""More decimals in an act's prices than money has: an average price is no round one."""


def close(books: Books, event: ClosePeriod) -> Answer:
    """Close a period for one contract or customer, or for all of them."""
    period = parse_period(event.period)
    if books.rules.volume_discount is None and books.rules.rebate is None:
        return decline(books, event, Reason.NOT_OFFERED)
    named = event.contract or event.customer
    holder = books.holder_of.get(named) if named else None
    if named and (holder is None or holder.kind != ("contract" if event.contract else "customer")):
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    if books.now_ms < books.time.midnight(period.last_day + 1):
        return decline(books, event, Reason.PERIOD_OPEN)
    if holder is None:
        every = [found for _, found in sorted(books.holder_of.items()) if _closes(books, found, period)]
        return accept(books, event, results=tuple(_close_one(books, event.ref, one, period, False) for one in every))
    if not _closes(books, holder, period):
        return decline(books, event, Reason.WRONG_PERIOD)
    done = _close_one(books, event.ref, holder, period, True)
    return accept(books, event, done.reason, discount_minor=done.discount_minor, act=done.act, statement=done.statement)


def _closes(books: Books, holder: Holder, period: Period) -> bool:
    """Whether a period is one of this holder's: months for accounts, months or halves for rebates.

    What accrued by an earlier contract, with periods of another length, is stated by its own.
    """
    if holder.kind == "customer":
        return holder.half == period.half or (holder.index, period.name) in books.rebates
    return holder.kind == "contract" and not period.half


def _close_one(books: Books, ref: str, holder: Holder, period: Period, lines: bool) -> PeriodResult:
    if holder.kind == "customer":
        statement = statement_of(books, holder, period, lines)
        books.look_at(REBATE, f"rebate:{holder.id}:{period.name}")
        return PeriodResult("accepted", None, statement.discount_minor, customer=holder.id, statement=statement)
    contract = holder.contract
    assert contract is not None
    books.look_at(MONEY, contract.account)
    outcome = contract.closed.get(period.month)
    if outcome is None:
        outcome = contract.closed[period.month] = _discount(books, holder, period)
        if outcome.discount_minor:
            books.move_money(ref, holder, "company:discount", outcome.discount_minor)
    result = PeriodResult("accepted", outcome.reason, outcome.discount_minor, contract=holder.id)
    if outcome.act is None:
        return result
    return PeriodResult("accepted", outcome.reason, outcome.discount_minor, contract=holder.id, act=outcome.act)


def _discount(books: Books, holder: Holder, period: Period) -> Outcome:
    """Whether the discount of a month is due, and how much. The first reason that holds is the one told."""
    contract = holder.contract
    assert contract is not None
    end_ms = books.time.midnight(period.last_day + 1)
    if not contract.was_valid_with_prepayment(end_ms):
        return Outcome(Reason.CONTRACT_NOT_VALID, 0, None)
    order = _order(books, period.last_day)
    act = _act(books, holder, period.month, period.name, order)
    if act is None:
        return Outcome(Reason.BELOW_FIRST_TIER, 0, None)
    if contract.balance_after(period.month) < 0:
        return Outcome(Reason.NEGATIVE_BALANCE, 0, None)
    return Outcome(None, -act.difference_minor, act, order)


def _order(books: Books, day: int) -> Order | None:
    """The order in force on a day: of those published, and of the programme's own."""
    published = in_force(books.orders, day)
    own = books.programme.on(day).order
    if own is None:
        return published
    rule = Order(own.name, own.since.toordinal(), own.tiers)
    return rule if published is None else in_force((rule, published), day)


def _act(books: Books, holder: Holder, month: int, name: str, order: Order | None) -> Act | None:
    """The act of a month's price change; None where no tier is reached."""
    assert holder.contract is not None
    volume = holder.contract.volume_of(month)
    tier = None if order is None else order.tier(volume.volume_ml)
    if order is None or tier is None:
        return None
    discount = discount_minor(volume.volume_ml, tier)
    after = volume.amount_minor - discount
    return Act(
        holder.id,
        name,
        volume.volume_ml,
        _price(books, volume.amount_minor, volume.volume_ml),
        _price(books, after, volume.volume_ml),
        volume.amount_minor,
        after,
        -discount,
        order.name,
        tier.discount_per_m3_minor,
    )


def undiscounted(books: Books, holder: Holder, month: int, name: str) -> Act:
    """A closed month as it stands where no discount is due: the price after is that before."""
    assert holder.contract is not None
    volume = holder.contract.volume_of(month)
    price = _price(books, volume.amount_minor, volume.volume_ml)
    return Act(holder.id, name, volume.volume_ml, price, price, volume.amount_minor, volume.amount_minor, 0, "", 0)


def correct(books: Books, ref: str, holder: Holder, month: int) -> None:
    """A sale of a month was reversed: where the month is closed with a discount, post the difference to what is due.

    By the order that decided then: one that was published since changes nothing of a closed month.
    """
    contract = holder.contract
    assert contract is not None
    outcome = contract.closed.get(month)
    if outcome is None or outcome.reason is not None:
        return
    period = parse_period(f"{month // 12:04}-{month % 12 + 1:02}")
    act = _act(books, holder, month, period.name, outcome.order)
    due = 0 if act is None else -act.difference_minor
    books.move_money(ref, holder, "company:discount", due - outcome.discount_minor)
    contract.closed[month] = Outcome(None, due, act, outcome.order)


def _price(books: Books, amount_minor: int, volume_ml: int) -> str:
    """An average price of a cubic metre as a decimal string, rounded half up; "0" where nothing was got."""
    if not volume_ml:
        return "0"
    value = (2 * amount_minor * MILLI * power_of_ten(PRICE_DECIMALS) + volume_ml) // (2 * volume_ml)
    return decimal_text(value, books.programme.currency.decimals + PRICE_DECIMALS)


def statement_of(books: Books, holder: Holder, period: Period, lines: bool) -> Statement:
    """The sales of a period that accrued a rebate and stand, closed or not."""
    sales = books.sales
    numbers = [
        number
        for number in books.rebates.get((holder.index, period.name), ())
        if not sales.is_flagged(number, REVERSED)
    ]
    statement = Statement(
        holder.id,
        period.name,
        len(numbers),
        sum(sales.volume_ml[number] for number in numbers),
        sum(sales.amount_minor[number] for number in numbers),
        sum(sales.earned[number] for number in numbers),
    )
    if not lines:
        return statement
    return Statement(
        statement.customer,
        statement.period,
        statement.sales,
        statement.volume_ml,
        statement.amount_minor,
        statement.discount_minor,
        tuple(_line(books, number) for number in numbers),
    )


def _line(books: Books, number: int) -> StatementLine:
    sales = books.sales
    card = books.cards.get(sales.card_of(number))
    plates = () if card is None else card.plates
    return StatementLine(
        sales.names[number],
        books.time.text(sales.at_ms[number]),
        sales.card_of(number),
        sales.plate_of(number) or (plates[0] if len(plates) == 1 else None),
        sales.station_of(number),
        PRODUCTS[sales.product[number]],
        sales.volume_ml[number],
        sales.amount_minor[number],
        sales.earned[number],
    )
