"""The books of one programme: everything the engine knows, and the few steps that all events share.

Time is where the last event was: `advance` moves it and lets expire and cancel what is due on the way.
"""

import heapq
from collections.abc import Callable

from controller.domain.programmes.dates import NEVER_MS, LocalTime, month_of
from controller.domain.programmes.ledger import MONEY, REBATE, Ledger, Posting
from controller.domain.programmes.lots import LotAccount
from controller.domain.programmes.members import Card, Holder, Kind
from controller.domain.programmes.orders import Order
from controller.domain.programmes.programme import Programme, RuleSet
from controller.domain.programmes.purses import Purse, Voucher
from controller.domain.programmes.rules import ExpiryRule
from controller.domain.programmes.sale_book import SaleBook
from controller.domain.programmes.today import DayUse, Seen

DUE = "due"
"""What postings name as their event where only time passed."""


class Books:
    """The state of one programme. Events change it through the functions of the modules beside this one."""

    def __init__(self, programme: Programme, sink: Callable[[Posting], None] | None = None) -> None:
        self.programme = programme
        self.ledger = Ledger(sink)
        self.time = LocalTime(programme.zone)
        self.now_ms = -NEVER_MS
        self.booked_ms: int | None = None
        """When a late event is booked; None: when it happens."""
        self.day = 0
        self.month = 0
        self.rules: RuleSet
        self.lot_expiry_ms = NEVER_MS
        """Of points earned today."""
        self.holders: list[Holder] = []
        self.holder_of: dict[str, Holder] = {}
        self.phones: dict[str, Holder] = {}
        self.cards: dict[str, Card] = {}
        self.card_endings: dict[str, list[Card]] = {}
        self.plates: dict[str, Holder] = {}
        """Bound plates of members."""
        self.card_plates: dict[str, list[Card]] = {}
        self.vouchers: dict[str, Voucher] = {}
        self.orders: list[Order] = []
        self.sales = SaleBook()
        self.rebates: dict[tuple[int, str], list[int]] = {}
        """By holder and period: the sales of its statement."""
        self.by_plate: dict[str, list[int]] = {}
        """By plate: sales by card, where the programme covers claims or takes back by plate."""
        self.claims: dict[str, tuple[str, ...]] = {}
        self.claim_findings: dict[str, str] = {}
        self.disputes: dict[int, int] = {}
        self.day_use: dict[int, DayUse] = {}
        """By holder: today's use, where a limit or a rule against abuse asks for it."""
        self.seen: dict[str, Seen] = {}
        self.keeps_day_use = bool(programme.file.cap or programme.file.abuse)
        self.keeps_plates = bool(programme.file.claim) or any(
            rule.sold_takes_back == "all" for rule in programme.file.plates
        )
        self._expiries: list[int] = []
        self._expiring: dict[int, list[LotAccount]] = {}
        self._idle: list[tuple[int, int]] = []
        self._next_ms = -NEVER_MS
        """Until then nothing is due and the day is the same."""
        self._looked_at: dict[str, str | LotAccount] = {}
        """By account: its commodity, or the lots it holds."""

    # Time.

    def advance(self, at_ms: int) -> None:
        """Come to a moment: what expires or is cancelled until then does so, in its order."""
        if at_ms >= self._next_ms:
            self._catch_up(at_ms)
        self.now_ms = max(self.now_ms, at_ms)

    def _catch_up(self, at_ms: int) -> None:
        """Do what is due, and note until when there is nothing more to do."""
        while True:
            expiry = self._expiries[0] if self._expiries else NEVER_MS
            idle = self._idle[0][0] if self._idle else NEVER_MS
            if min(expiry, idle) > at_ms:
                break
            if expiry <= idle:
                self._arrive(expiry)
                heapq.heappop(self._expiries)
                for account in self._expiring.pop(expiry):
                    self.settle(account, DUE)
            else:
                self._arrive(idle)
                self._look_at_idle(self.holders[heapq.heappop(self._idle)[1]])
        self._arrive(at_ms)
        self._next_ms = min(expiry, idle, self.time.midnight(self.day + 1))

    def _arrive(self, at_ms: int) -> None:
        self.now_ms = max(self.now_ms, at_ms)
        day = self.time.day(self.now_ms)
        if day != self.day:
            self.day = day
            self.month = month_of(day)
            self.rules = self.programme.on(day)
            self.lot_expiry_ms = self._expiry(self.rules.expiry)
            self.day_use.clear()

    def _expiry(self, rule: ExpiryRule | None) -> int:
        if rule is None:
            return NEVER_MS
        today = self.time.local(self.now_ms).date()
        gone = today.replace(year=today.year + rule.years, month=rule.month, day=rule.day)
        return self.time.midnight(gone.toordinal())

    def watch_idle(self, holder: Holder) -> None:
        """From now on, look whether a member has bought for long enough."""
        if self.programme.file.inactivity:
            months = min(rule.months for rule in self.programme.file.inactivity)
            look = self._day_of(self.time.months_later(holder.last_purchase_ms, months))
            heapq.heappush(self._idle, (look, holder.index))
            self._next_ms = min(self._next_ms, look)

    def _look_at_idle(self, holder: Holder) -> None:
        rule = self.rules.inactivity
        due = NEVER_MS if rule is None else self.time.months_later(holder.last_purchase_ms, rule.months)
        if rule is None or due > self.now_ms:
            # The next rule may have a shorter time.
            day = self.programme.next_change(self.day)
            look = due if due == NEVER_MS else self._day_of(due)
            look = look if day is None else min(look, self.time.midnight(day))
            if look < NEVER_MS:
                heapq.heappush(self._idle, (look, holder.index))
            return
        holder.cancelled = True
        holder.deleted = rule.delete_points
        if rule.delete_points:
            for purse in holder.purses.values():
                for account in (purse, *purse.vouchers):
                    account.closed = True
                    self.settle(account, DUE)

    def _day_of(self, due_ms: int) -> int:
        """When to look at a member who is due then: as its day begins, for a later purchase may be due earlier on the
        same day, where a month is too short for its own; once that day has begun, when it is due."""
        begins_ms = self.time.midnight(self.time.local(due_ms).toordinal())
        return begins_ms if begins_ms > self.now_ms else due_ms

    def next_due_ms(self) -> int:
        """When something expires, or a member is looked at for inactivity, next; NEVER_MS for never."""
        expiry = self._expiries[0] if self._expiries else NEVER_MS
        return min(expiry, self._idle[0][0] if self._idle else NEVER_MS)

    # Postings.

    def move(self, ref: str, commodity: str, to: str, of: str, amount: int) -> None:
        """Post between two accounts at this event's time."""
        booked_ms = self.now_ms if self.booked_ms is None else self.booked_ms
        self.ledger.move(ref, self.now_ms, booked_ms, commodity, to, of, amount)

    def move_points(self, ref: str, account: LotAccount, contra: str, points: int) -> None:
        """Post points to a lot account; the lots themselves are the caller's."""
        self.move(ref, account.commodity, account.name, contra, points)
        self.look_at_points(account)

    def add_points(self, ref: str, account: LotAccount, contra: str, expiry_ms: int, points: int) -> None:
        """Put points with an expiry into an account (negative: take them back), and post it."""
        self.move_points(ref, account, contra, points)
        self.put(account, expiry_ms, points)

    def put(self, account: LotAccount, expiry_ms: int, points: int) -> None:
        """The lots alone: the posting is the caller's."""
        if account.add(expiry_ms, points) and expiry_ms > self.now_ms and expiry_ms < NEVER_MS:
            if expiry_ms not in self._expiring:
                self._expiring[expiry_ms] = []
                heapq.heappush(self._expiries, expiry_ms)
                self._next_ms = min(self._next_ms, expiry_ms)
            self._expiring[expiry_ms].append(account)

    def settle(self, account: LotAccount, ref: str) -> None:
        """Let what is due in an account expire; a voucher's in its purse, where that lot's sales and debts are."""
        if isinstance(account, Voucher):
            for expiry_ms, points in account.hand_back(self.now_ms):
                self.move_points(ref, account, account.purse.name, -points)
                # The posting has both legs.
                account.purse.add(expiry_ms, points)
            account = account.purse
        change = account.settle(self.now_ms)
        if change:
            contra = "company:deleted" if account.closed else "company:expired"
            self.move_points(ref, account, contra, change)

    def move_money(self, ref: str, holder: Holder, contra: str, amount_minor: int) -> None:
        """Post to a contract's account of money, and note how it stands this month."""
        assert holder.contract is not None
        account = holder.contract.account
        self.move(ref, MONEY, account, contra, amount_minor)
        holder.contract.note_balance(self.month, self.ledger.balance(MONEY, account))
        self.look_at(MONEY, account)

    def move_rebate(self, ref: str, holder: Holder, period: str, amount_minor: int) -> None:
        account = f"rebate:{holder.id}:{period}"
        self.move(ref, REBATE, account, "company:rebate", amount_minor)
        self.look_at(REBATE, account)

    def move_debt(self, ref: str, holder: Holder, amount_minor: int) -> None:
        account = f"debt:{holder.id}"
        self.move(ref, MONEY, account, "company:receivable", amount_minor)
        self.look_at(MONEY, account)

    # Holders and balances.

    def add_holder(self, identity: str, kind: Kind) -> Holder:
        holder = Holder(identity, len(self.holders), kind, self.now_ms)
        self.holders.append(holder)
        self.holder_of[identity] = holder
        return holder

    def purse(self, holder: Holder, name: str) -> Purse:
        """A holder's purse, made when it is first asked for."""
        found = holder.purses.get(name)
        if found is None:
            found = holder.purses[name] = Purse(holder.id, name)
            found.closed = holder.deleted
        return found

    def look_at(self, commodity: str, account: str) -> None:
        """Name an account in this event's answer."""
        self._looked_at[account] = commodity

    def look_at_points(self, account: LotAccount) -> None:
        """Name an account of points: a purse shows all points and the available ones, a voucher its purse as well."""
        self._looked_at[account.name] = account

    def take_looked_at(self) -> dict[str, int]:
        """The balances of this event's answer, and a clean slate for the next."""
        balances: dict[str, int] = {}
        for name, found in self._looked_at.items():
            if isinstance(found, str):
                balances[name] = self.ledger.balance(found, name)
            elif isinstance(found, Purse):
                self._show(found, balances)
            else:
                assert isinstance(found, Voucher)
                self._show(found.purse, balances)
                balances[name] = self.balance(found)
        self._looked_at.clear()
        return balances

    def balance(self, account: LotAccount) -> int:
        return self.ledger.balance(account.commodity, account.name)

    def all_points(self, purse: Purse) -> int:
        """What is available, and what vouchers lock."""
        available = self.balance(purse)
        return available + sum(map(self.balance, purse.vouchers)) if purse.vouchers else available

    def _show(self, purse: Purse, balances: dict[str, int]) -> None:
        balances[purse.points_name] = self.all_points(purse)
        balances[purse.name] = self.balance(purse)
