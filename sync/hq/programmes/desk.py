"""The finance department's desk: what is asked of the programmes' ledgers, and the answers. One call, one commit.

The same words are asked by a command that holds the database and by one that asks the running server. The caller
brings the time. Knows no HTTP and no screen.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime, to_ms
from controller.domain.programmes.events import FieldError, decode, moment
from controller.domain.programmes.late import LateUndoes
from controller.domain.programmes.members import Holder
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.rules import Product
from sync.hq.programmes.acts import acts_of, issue_act
from sync.hq.programmes.again import post_again
from sync.hq.programmes.apart import Apart
from sync.hq.programmes.asks import (
    ActAnswer,
    ActAsk,
    AllotAnswer,
    AllotAsk,
    Ask,
    Balance,
    BalancesAnswer,
    BalancesAsk,
    ClaimsAsk,
    DeskAnswer,
    EnterAnswer,
    EnterAsk,
    FindingAsk,
    IssueActAsk,
    IssueAsk,
    ListAnswer,
    ListAsk,
    MemberAnswer,
    MemberAsk,
    OdditiesAsk,
    PinAsk,
    PostAnswer,
    PostAsk,
    StatementAnswer,
    StatementAsk,
    VatAnswer,
    VatAsk,
)
from sync.hq.programmes.care import holder_of, names_like, shown
from sync.hq.programmes.claims import claims, odd_rows, record_finding
from sync.hq.programmes.deeds import deeds, set_pin, unlock_pin
from sync.hq.programmes.issuing import issue, stated
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import OWN_REFS, NewEvent, ProgrammeLedger
from sync.hq.programmes.listing import COLUMNS, rows_of, vouchers_of
from sync.hq.programmes.office_asks import AgainAsk, OfficeAsk, SplitAsk, TogetherAnswer, TogetherAsk, UnlockAsk
from sync.hq.programmes.posting import CANNOT, Posting, in_words
from sync.hq.programmes.routing import HOLDER, VOUCHER
from sync.hq.programmes.secrets_kept import SecretsKept
from sync.hq.programmes.splitting import Splits, check_split, split, together
from sync.hq.programmes.statements import DeskError, masked, vat_of
from sync.hq.programmes.tables import REF_LETTERS, metadata
from sync.hq.programmes.vat import VatRate
from sync.hq.programmes.vouchers import allot, check_cancelled
from sync.hq.schema import stations

Commit = Callable[[], AbstractContextManager[sa.Connection]]
OPERATOR = "operator"


_T = TypeVar("_T")


class Desk:
    """All programmes of a headquarters. `secret`: the network's list key; `grades`: products by stations' grades."""

    def __init__(
        self,
        commit: Commit,
        programmes: Iterable[Programme],
        secret: bytes = b"",
        grades: Mapping[str, Product] | None = None,
        vat: Sequence[VatRate] = (),
    ) -> None:
        self._commit = commit
        self._grades = grades or {}
        self._vat = vat
        self._ledgers = {programme.name: ProgrammeLedger(programme, secret) for programme in programmes}
        self._postings = {name: Posting(ledger, self._grades) for name, ledger in self._ledgers.items()}
        if self._ledgers:
            with commit() as db:
                metadata.create_all(db)

    @property
    def programmes(self) -> list[str]:
        return list(self._ledgers)

    def ledger(self, name: str) -> ProgrammeLedger:
        """DeskError for a programme that is not kept here."""
        found = self._ledgers.get(name)
        if found is None:
            known = ", ".join(self._ledgers) or "none"
            raise DeskError(f"{name} is not kept here (kept: {known}): add it to `programmes` of hq.toml")
        return found

    def answer(self, ask: Ask, now_ms: int) -> DeskAnswer:
        """DeskError, StoreError; then nothing was kept."""
        match ask:
            case EnterAsk():
                return self._enter(ask, now_ms)
            case BalancesAsk():
                return self._balances(ask, now_ms)
            case StatementAsk():
                return self._statement(ask, now_ms)
            case IssueAsk():
                return self._issue(ask, now_ms)
            case ActAsk():
                return self._act(ask)
            case IssueActAsk():
                return self._issue_act(ask, now_ms)
            case PostAsk():
                return PostAnswer(self.post(ask.programme, now_ms))
            case ListAsk():
                return self._list(ask, now_ms)
            case PinAsk():
                with self._commit() as db:
                    return set_pin(db, self.ledger(ask.programme), ask)
            case UnlockAsk():
                ledger = self.ledger(ask.programme)
                return self._step(ledger, partial(unlock_pin, ledger=ledger, ask=ask, now_ms=now_ms))
            case OfficeAsk():
                with self._commit() as db:
                    return deeds(db, self.ledger(ask.programme), ask)
            case AllotAsk():
                return self._allot(ask, now_ms)
            case ClaimsAsk():
                with self._commit() as db:
                    return claims(db, self.ledger(ask.programme), ask)
            case FindingAsk():
                with self._commit() as db:
                    return record_finding(db, self.ledger(ask.programme), ask, now_ms)
            case OdditiesAsk():
                with self._commit() as db:
                    return odd_rows(db, self.ledger(ask.programme), ask)
            case AgainAsk():
                ledger, posting = self.ledger(ask.programme), self._postings[ask.programme]
                work = partial(post_again, ledger=ledger, posting=posting, ask=ask, now_ms=now_ms)
                return self._step(ledger, work)
            case TogetherAsk():
                return self._together(ask, now_ms)
            case SplitAsk():
                with self._commit() as db:
                    return split(db, self.ledger(ask.programme), ask, now_ms)
            case MemberAsk():
                return self._member(ask, now_ms)
            case VatAsk():
                return self._vat_of(ask)

    def post(self, programme: str, now_ms: int, station: str = "") -> int:
        """Post what stations (or one) sent, and let time pass. How many events were kept. StoreError, DeskError."""
        ledger, posting = self.ledger(programme), self._postings[programme]
        with self._commit() as db:
            every = list(db.execute(sa.select(stations.c.station_id).order_by(stations.c.station_id)).scalars())
            before = Keeping(db, programme).count
        for each in [station] if station else every:
            while self._step(ledger, partial(posting.step, station=each, now_ms=now_ms)):
                pass
        self._step(ledger, lambda db: ledger.come_to(db, now_ms))
        with self._commit() as db:
            return Keeping(db, programme).count - before

    def follow(self, station: str, now_ms: int) -> bool:
        """Post some rows of a station in all programmes. Whether there may be more. StoreError.

        A programme whose rows cannot be posted holds up no other: its ValueError comes when the others are done.
        """
        more, failed = False, None
        for name, ledger in self._ledgers.items():
            try:
                more |= self._step(ledger, partial(self._postings[name].step, station=station, now_ms=now_ms))
            except ValueError as error:
                failed = error
        if failed is not None and not more:
            raise failed
        return more

    def let_time_pass(self, now_ms: int) -> None:
        """Let expire and be cancelled what is due, in all programmes. StoreError."""
        for ledger in self._ledgers.values():
            self._step(ledger, partial(ledger.come_to, now_ms=now_ms))

    def in_one(self, work: Callable[[sa.Connection], _T]) -> _T:
        """One commit over all programmes. Where it comes to nothing, what is in memory is read again."""
        try:
            with self._commit() as db:
                return work(db)
        except BaseException:
            for ledger in self._ledgers.values():
                ledger.forget()
            raise

    def _step(self, ledger: ProgrammeLedger, work: Callable[[sa.Connection], _T]) -> _T:
        """One commit. Where it comes to nothing, what is in memory is read again."""
        try:
            with self._commit() as db:
                return work(db)
        except BaseException:
            ledger.forget()
            raise

    def _enter(self, ask: EnterAsk, now_ms: int) -> EnterAnswer:
        ledger = self.ledger(ask.programme)
        new = list(_checked(ask, now_ms))

        def work(db: sa.Connection) -> EnterAnswer:
            check_cancelled(db, ledger, new)
            check_split(db, ledger, new)
            entered = ledger.enter(db, new, now_ms)
            self._postings[ask.programme].post_waiting(db, now_ms)
            answers = [each.answer for each in entered if each.answer is not None]
            raw = tuple(msgspec.Raw(msgspec.json.encode(masked(answer))) for answer in answers)
            return EnterAnswer(raw, len(entered) - len(answers))

        try:
            return self._step(ledger, work)
        except LateUndoes as error:
            raise DeskError(f"{ask.where}: {error}. Nothing was entered") from error
        except CANNOT as error:
            raise DeskError(f"{ask.where}: {in_words(error)}. Nothing was entered") from error

    def _balances(self, ask: BalancesAsk, now_ms: int) -> BalancesAnswer:
        ledger = self.ledger(ask.programme)
        self._step(ledger, lambda db: ledger.come_to(db, now_ms))
        with self._commit() as db:
            if not ask.holder:
                found = [(account, kind, amount) for kind, account, amount in Keeping(db, ask.programme).balances()]
            else:
                found = self._balances_of(db, ledger, ask.holder)
        return BalancesAnswer(tuple(Balance(*each) for each in found))

    def _balances_of(self, db: sa.Connection, ledger: ProgrammeLedger, name: str) -> list[tuple[str, str, int]]:
        books, holder = self._holder(db, ledger, name)
        found: list[tuple[str, str, int]] = []
        for _, purse in sorted(holder.purses.items()):
            found.append((purse.points_name, purse.commodity, books.all_points(purse)))
            for account in (purse, *purse.vouchers):
                found.append((account.name, account.commodity, books.balance(account)))
        for commodity in books.ledger.commodities():
            found += [
                (account, commodity, amount)
                for account, amount in books.ledger.accounts(commodity)
                if account in (f"money:{name}", f"debt:{name}") or account.startswith(f"rebate:{name}:")
            ]
        return found

    def _holder(self, db: sa.Connection, ledger: ProgrammeLedger, name: str) -> tuple[Books, Holder]:
        history = ledger.at(db, HOLDER + name)
        holder = None if history is None else history.engine.books.holder_of.get(name)
        if history is None or holder is None:
            raise DeskError(f"{ledger.programme.name} knows no {name}: enter it first")
        return history.engine.books, holder

    def _member(self, ask: MemberAsk, now_ms: int) -> MemberAnswer:
        ledger = self.ledger(ask.programme)
        self._step(ledger, lambda db: ledger.come_to(db, now_ms))
        with self._commit() as db:
            splits = Splits(db, ask.programme)
            for name in [splits.name_at(name, now_ms) for name in names_like(ask.name)]:
                history = ledger.at(db, name)
                holder = None if history is None else holder_of(history.engine.books, name)
                if history is not None and holder is not None:
                    found = self._balances_of(db, ledger, holder.id)
                    return shown(history.engine.books, holder, tuple(Balance(*each) for each in found))
        raise DeskError(f"{ask.programme} knows no member, card, phone or plate {ask.name}")

    def _together(self, ask: TogetherAsk, now_ms: int) -> TogetherAnswer:
        ledger = self.ledger(ask.programme)
        with self._commit() as db:
            found = (ledger.at(db, name) for name in names_like(ask.name))
            history = next((each for each in found if each is not None), None)
            if history is None:
                raise DeskError(f"{ask.programme} knows no member, card, phone or plate {ask.name}")
            return together(history.engine.books, Splits(db, ask.programme), now_ms)

    def _statement(self, ask: StatementAsk, now_ms: int) -> StatementAnswer:
        ledger = self.ledger(ask.programme)
        with self._commit() as db:
            return stated(db, *self._holder(db, ledger, ask.customer), ask, self._vat, now_ms)

    def _issue(self, ask: IssueAsk, now_ms: int) -> StatementAnswer:
        """With all that stations have sent by now."""
        ledger = self.ledger(ask.programme)
        self.post(ask.programme, now_ms)
        with self._commit() as db:
            return issue(db, *self._holder(db, ledger, ask.customer), ask, self._vat, now_ms)

    def _act(self, ask: ActAsk) -> ActAnswer:
        ledger = self.ledger(ask.programme)
        with self._commit() as db:
            return acts_of(db, *self._holder(db, ledger, ask.contract), ask)

    def _issue_act(self, ask: IssueActAsk, now_ms: int) -> ActAnswer:
        """With all that stations have sent by now."""
        ledger = self.ledger(ask.programme)
        self.post(ask.programme, now_ms)
        with self._commit() as db:
            return issue_act(db, *self._holder(db, ledger, ask.contract), ask, now_ms)

    def _allot(self, ask: AllotAsk, now_ms: int) -> AllotAnswer:
        ledger = self.ledger(ask.programme)
        self._step(ledger, lambda db: ledger.come_to(db, now_ms))
        return self._step(ledger, partial(allot, ledger=ledger, ask=ask, now_ms=now_ms))

    def _list(self, ask: ListAsk, now_ms: int) -> ListAnswer:
        ledger = self.ledger(ask.programme)
        self._step(ledger, lambda db: ledger.come_to(db, now_ms))
        as_of = LocalTime(ledger.programme.zone).text(now_ms)
        found: list[tuple[str, ...]] = []
        with self._commit() as db:
            kept = SecretsKept(db, ask.programme)
            pins = {name: kept.versioned(VOUCHER + name) for name in Apart(db, ask.programme).vouchers()}
            split_phones = Splits(db, ask.programme).now(now_ms)
            for history in ledger.every(db):
                books = history.engine.books
                rows = [*rows_of(books, self._grades, split_phones, as_of), *vouchers_of(books, pins, as_of)]
                found += [tuple(row.get(column, "") for column in COLUMNS) for row in rows]
        return ListAnswer(COLUMNS, tuple(sorted(found)))

    def _vat_of(self, ask: VatAsk) -> VatAnswer:
        ledger = self.ledger(ask.programme)
        with self._commit() as db:
            return vat_of(ledger, Keeping(db, ask.programme), ask, self._vat)


def _checked(ask: EnterAsk, now_ms: int) -> Iterator[NewEvent]:
    """The events of a file, all of them good. DeskError names the first line that is not."""
    before_ms: int | None = None
    for number, line in enumerate(ask.lines.splitlines(), 1):
        if not line or line.isspace():
            continue
        try:
            event = decode(line.encode())
            at_ms = to_ms(moment(event.at, "at"))
            if before_ms is not None and at_ms < before_ms:
                raise FieldError(
                    "at", f"{event.at} is before the event above: put the lines into the order of their times"
                )
            if at_ms > now_ms:
                raise FieldError("at", f"{event.at} has not come yet")
            if len(event.ref) > REF_LETTERS or event.ref.startswith(OWN_REFS):
                raise FieldError(
                    "ref", f"expected at most {REF_LETTERS} letters, and not {OWN_REFS}... at the beginning"
                )
        except FieldError as error:
            field = f", field {error.field}" if error.field else ""
            raise DeskError(f"{ask.where}, line {number}{field}: {error}. Nothing was entered") from error
        before_ms = at_ms
        yield NewEvent(at_ms, event, OPERATOR)
