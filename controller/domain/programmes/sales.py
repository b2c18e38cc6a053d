"""Sales: quoted, then posted. At a station's word a sale may be declined; one that was delivered is posted as it is."""

from msgspec import UNSET

from controller.domain.programmes import plates
from controller.domain.programmes.abuse import watch
from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import period_name
from controller.domain.programmes.events import PresentAfter, Sale
from controller.domain.programmes.ledger import MONEY
from controller.domain.programmes.members import APP, Card, Holder
from controller.domain.programmes.quoting import Quote, SaleFacts, Standing, accrues, quote
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import PRODUCTS
from controller.domain.programmes.sale_book import CARD_SHOWN, NOBODY, OWN_NETWORK, PAID_AND_GONE, REVERSED
from controller.domain.programmes.showing import Shown, by_card, facts_of, shown_at, standing_of
from controller.domain.programmes.today import DayUse, Seen

PRODUCT_NUMBER = {product: number for number, product in enumerate(PRODUCTS)}


def sell(books: Books, event: Sale, *, delivered: bool = False) -> Answer:
    """A sale. `delivered`: the fuel is gone, so nothing is declined any more and an account may fall below zero."""
    shown = shown_at(books, event)
    facts = facts_of(event, shown, code_given=delivered)
    holder = shown.holder
    standing = standing_of(books, shown, watched=books.keeps_day_use)
    quoted = quote(books.rules, facts, standing)
    if quoted.declined:
        if holder is not None:
            _look_at(books, holder, quoted)
        if not delivered:
            return decline(books, event, quoted.reason or Reason.REFUSED)
    # Fuel that was refused is in no tank: only now is the sale watched.
    if holder is not None and books.keeps_day_use and not holder.cancelled:
        watch(books, holder, shown.token, event.station, event.volume_ml, books.now_ms)
        if holder.suspended and not standing.suspended:
            standing = standing_of(books, shown, watched=True)
            quoted = quote(books.rules, facts, standing)
    if quoted.declined:
        quoted = Quote(False, quoted.reason, rebate_minor=0)
    return _post(books, event, facts, shown, standing, quoted)


def _post(books: Books, event: Sale, facts: SaleFacts, shown: Shown, standing: Standing, quoted: Quote) -> Answer:
    holder, card = shown.holder, shown.card
    sales, rules = books.sales, books.rules
    flags = CARD_SHOWN if event.card is not None or holder is not None else 0
    flags |= PAID_AND_GONE if facts.pay_and_go_minor else 0
    flags |= OWN_NETWORK if event.acquirer is None else 0
    earned = quoted.points or quoted.rebate_minor
    number = sales.add(
        event.ref,
        books.now_ms,
        NOBODY if holder is None else holder.index,
        flags,
        PRODUCT_NUMBER[event.product],
        event.amount_minor,
        event.volume_ml,
        facts.cash_minor,
        facts.electronic_minor,
        facts.points_minor,
        earned,
        books.lot_expiry_ms,
        "" if card is None or shown.by_plate_alone else card.number,
        shown.plate,
        event.station,
        _purse_number(books, quoted.purse),
    )
    if holder is None:
        return accept(books, event, quoted.reason)
    reason = quoted.reason
    more: dict[str, object] = {}
    _look_at(books, holder, quoted)
    if quoted.points:
        _earn(books, event.ref, holder, quoted.purse, quoted.points)
        more["points"] = quoted.points
    if quoted.rebate_minor or (quoted.reason is None and accrues(rules, standing)):
        period = period_name(books.day, holder.half)
        books.move_rebate(event.ref, holder, period, quoted.rebate_minor)
        books.rebates.setdefault((holder.index, period), []).append(number)
        if quoted.rebate_minor:
            more["rebate_minor"] = quoted.rebate_minor
    if holder.kind == "contract":
        _deliver_gas(books, event, facts, holder, number)
    if facts.pay_and_go_minor and rules.pay_and_go is not None:
        failed = _charge(books, event.ref, facts, holder, card, number, more)
        reason = failed if failed is not None and reason not in _BEFORE_CHARGE else reason
    if standing.plate == "binds" and not holder.cancelled:
        plates.bind(books, holder, shown.plate, APP if card is None else card.number)
        more["plate_bound"] = shown.plate
    if card is not None and not shown.by_plate_alone:
        if not card.used:
            card.used = True
            if rules.membership.first_use_accepts_terms:
                more["terms_accepted"] = True
        if books.keeps_plates:
            for plate in (shown.plate,) if shown.plate else card.plates:
                books.by_plate.setdefault(plate, []).append(number)
    elif books.keeps_plates and shown.plate:
        books.by_plate.setdefault(shown.plate, []).append(number)
    if not holder.cancelled:
        holder.last_purchase_ms = books.now_ms
    if books.keeps_day_use:
        _note_day(books, holder, event.volume_ml, number, quoted.points)
        if rules.abuse is not None:
            _note_seen(books, shown.token, Seen(event.station, books.now_ms, number))
    if quoted.provisional:
        more["provisional"] = True
    return accept(books, event, reason, **more)


_BEFORE_CHARGE = frozenset(Reason) - {Reason.DAILY_POINTS_CAP, Reason.DAILY_SALES_CAP, Reason.SALE_CAP}
"""Reasons that are told before a failed charge: all but those of an amount."""


def present_after(books: Books, event: PresentAfter) -> Answer:
    """A card shown when the fuel was taken already: the sale earns for it, once, on its own business day."""
    if books.rules.present_after is None:
        return decline(books, event, Reason.NOT_OFFERED)
    shown = by_card(books, event.card)
    holder, sales = shown.holder, books.sales
    if holder is None:
        return decline(books, event, shown.reason or Reason.CARD_UNKNOWN)
    number = sales.find(event.sale)
    if number is None or number in sales.redemptions:
        return decline(books, event, Reason.SALE_UNKNOWN)
    product = PRODUCTS[sales.product[number]]
    purse = books.rules.earns_into[product]
    if purse:
        books.look_at_points(books.purse(holder, purse))
    if sales.is_flagged(number, CARD_SHOWN):
        return decline(books, event, Reason.ALREADY_PRESENTED)
    if sales.is_flagged(number, REVERSED):
        return decline(books, event, Reason.ALREADY_REVERSED)
    if books.time.day(sales.at_ms[number]) != books.time.day(books.now_ms):
        return decline(books, event, Reason.PRESENT_TOO_LATE)
    facts = SaleFacts(
        product,
        sales.volume_ml[number],
        sales.amount_minor[number],
        sales.cash_minor[number],
        sales.electronic_minor[number],
        0,
        sales.points_minor[number],
        event.card,
        elsewhere=not sales.is_flagged(number, OWN_NETWORK),
    )
    station = sales.station_of(number)
    if books.keeps_day_use and not holder.cancelled:
        watch(books, holder, shown.token, station, facts.volume_ml, sales.at_ms[number])
    quoted = quote(books.rules, facts, standing_of(books, shown, watched=books.keeps_day_use))
    if quoted.declined:
        return decline(books, event, quoted.reason or Reason.REFUSED)
    sales.flags[number] |= CARD_SHOWN
    sales.holder[number] = holder.index
    sales.card[number] = sales.texts.number(event.card)
    sales.earned[number] = quoted.points
    sales.expiry_ms[number] = books.lot_expiry_ms
    sales.purse[number] = _purse_number(books, quoted.purse)
    if quoted.points:
        _earn(books, event.ref, holder, quoted.purse, quoted.points)
    if not holder.cancelled:
        holder.last_purchase_ms = max(holder.last_purchase_ms, sales.at_ms[number])
    if books.keeps_day_use:
        _note_day(books, holder, facts.volume_ml, number, quoted.points)
        if books.rules.abuse is not None:
            _note_seen(books, shown.token, Seen(station, sales.at_ms[number], number))
    return accept(books, event, quoted.reason, points=quoted.points or UNSET)


def _purse_number(books: Books, purse: str) -> int:
    return books.programme.purse_names.index(purse) if purse else 0


def _look_at(books: Books, holder: Holder, quoted: Quote) -> None:
    """What the sale looks at, whether or not anything is posted."""
    if quoted.purse and holder.kind in ("person", "organisation"):
        books.look_at_points(books.purse(holder, quoted.purse))
    if holder.kind == "contract" and holder.contract is not None:
        books.look_at(MONEY, holder.contract.account)


def _earn(books: Books, ref: str, holder: Holder, purse: str, points: int) -> None:
    account = books.purse(holder, purse)
    books.add_points(ref, account, "company:earned", books.lot_expiry_ms, points)
    books.settle(account, ref)


def _deliver_gas(books: Books, event: Sale, facts: SaleFacts, holder: Holder, number: int) -> None:
    """Money for gas out; what another network served is owed to it, by day. Own volume counts for the month."""
    contra = "company:gas"
    if event.acquirer is not None:
        day = books.time.local(books.now_ms).date().isoformat()
        contra = books.sales.acquirers[number] = f"settlement:{event.acquirer}:{day}"
    books.move_money(event.ref, holder, contra, -facts.account_minor)
    if event.acquirer is None and holder.contract is not None:
        month = holder.contract.volume_of(books.month)
        month.volume_ml += event.volume_ml
        month.amount_minor += event.amount_minor


def _charge(
    books: Books, ref: str, facts: SaleFacts, holder: Holder, card: Card | None, number: int, more: dict[str, object]
) -> Reason | None:
    """Charge the first linked credit card that accepts; what none does is a debt."""
    for credit in () if card is None else card.credit:
        if credit.accepts:
            more["charged"] = credit.token
            books.look_at(MONEY, f"debt:{holder.id}")
            return None
    books.move_debt(ref, holder, facts.pay_and_go_minor)
    books.sales.debts[number] = more["debt_minor"] = facts.pay_and_go_minor
    return Reason.CHARGE_FAILED


def _note_seen(books: Books, token: str, now: Seen) -> None:
    """Where a token was last. A card shown afterwards may have been somewhere else since its sale."""
    before = books.seen.get(token)
    if before is None or before.at_ms <= now.at_ms:
        books.seen[token] = now


def _note_day(books: Books, holder: Holder, volume_ml: int, number: int, points: int) -> None:
    use = books.day_use.get(holder.index)
    if use is None:
        use = books.day_use[holder.index] = DayUse()
    use.volume_ml += volume_ml
    if points:
        use.points += points
        use.sales += 1
        use.numbers.append(number)
