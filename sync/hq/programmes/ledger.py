"""One programme's ledger: events come in, are posted by the engine, and are kept with their postings in one commit.

Each account is replayed from its own events when it is asked for, and kept in memory while it is used; so nothing is
rebuilt at a start, and a late event replays one account and no other. The caller brings the transaction and the time,
and calls `forget` where the transaction came to nothing. Knows no station's row and no command.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from controller.domain.programmes.answers import Answer
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.engine import Engine
from controller.domain.programmes.events import (
    AnyEvent,
    ClockTick,
    Dispute,
    HoldDraw,
    PresentAfter,
    Redeem,
    ReverseSale,
)
from controller.domain.programmes.late import AccountHistory
from controller.domain.programmes.ledger import Posting
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.unlocking import UnlockPin
from sync.hq.programmes.keeping import FOR_ALL, Keeping, KeptEvent
from sync.hq.programmes.routing import PLATE, SALE, is_for_all, names_of, token_key_of
from sync.hq.programmes.stand_ins import unknown_plate, with_plates
from sync.hq.programmes.tables import REF_LETTERS

EVENTS_KEPT = 200_000
"""Events of the accounts in memory: of those that were used last."""
ACCOUNT_WEIGHS = 20
"""As many events: what an account takes up without any."""
ACCOUNTS_AT_ONCE = 400
OWN_REFS = "time/"
"""How refs begin of events that only let time pass."""
STATION = "station"
"""The source of what a station's journal says: it happened."""
_json = msgspec.json.Encoder()
_kept: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent | UnlockPin)
"""What is kept was checked when it came, and has one kind more than what is entered."""


class RefTaken(ValueError):
    """Another event has this ref already."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that comes in. `source`: who says so: operator, station, request, time."""

    at_ms: int
    event: AnyEvent
    source: str


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of an event. `answer` is None where it was known before."""

    ref: str
    answer: Answer | None


class ProgrammeLedger:
    """One programme at headquarters. `secret`: the network's list key, empty where there is none."""

    def __init__(self, programme: Programme, secret: bytes = b"") -> None:
        self.programme = programme
        self._secret = secret
        self._accounts: OrderedDict[int, AccountHistory] = OrderedDict()

    def forget(self) -> None:
        """What is in memory may be ahead of the disk: read it again."""
        self._accounts.clear()

    def enter(self, db: sa.Connection, new: Sequence[NewEvent], booked_ms: int) -> list[Entered]:
        """Post events that happened at their times and are booked now, each once. In the order in which they came.

        RefTaken names a ref that another event has; then the transaction must come to nothing.
        """
        keeping = Keeping(db, self.programme.name)
        fresh = self._fresh(keeping, new)
        batch = _Batch(self, keeping, booked_ms)
        names = [name for each in fresh for name in names_of(self.programme, each.event)]
        batch.look_up([*names, *(SALE + each.event.ref for each in fresh)])
        for each in fresh:
            batch.take(each)
        answers = batch.post()
        keeping.end()
        return [Entered(each.event.ref, answers.pop(each.event.ref, None)) for each in new]

    def come_to(self, db: sa.Connection, now_ms: int) -> None:
        """Let expire and be cancelled what is due by now."""
        keeping = Keeping(db, self.programme.name)
        local = LocalTime(self.programme.zone)
        for some in _some_of(keeping.all_accounts(due_until_ms=now_ms)):
            batch = _Batch(self, keeping, now_ms)
            looked_at: dict[int, int] = {}
            self.load(keeping, some)
            for account in some:
                books = self.account(keeping, account).engine.books
                before = books.ledger.booked
                books.advance(now_ms)
                # It was only looked at: what is kept is made by an event of its own, or by nothing at all.
                self.drop(account)
                if books.ledger.booked != before:
                    tick = ClockTick(at=at_text(local, now_ms), ref=f"{OWN_REFS}{account}/{now_ms}")
                    batch.take_for(account, NewEvent(now_ms, tick, "time"))
                else:
                    looked_at[account] = books.next_due_ms()
            keeping.note_due(looked_at)
            batch.post()
        keeping.end()

    def account(self, keeping: Keeping, account: int) -> AccountHistory:
        """An account as it stands after its last event."""
        found = self._accounts.get(account)
        if found is None:
            self.load(keeping, [account])
            found = self._accounts[account]
        self._accounts.move_to_end(account)
        return found

    def load(self, keeping: Keeping, wanted: Sequence[int]) -> None:
        """Have these accounts in memory, all read at once; others have to go."""
        for account in wanted:
            if account in self._accounts:
                self._accounts.move_to_end(account)
        missing = [account for account in wanted if account not in self._accounts]
        if not missing:
            return
        for account, lines in keeping.events_of(missing).items():
            history = AccountHistory(self.programme)
            known = [(at_ms, decode_kept(line), granted) for at_ms, line, granted in lines]
            known = with_plates(keeping, known)
            granted = [event.ref for _, event, granted in known if granted]
            history.resume([(at_ms, event) for at_ms, event, _ in known], granted)
            self._accounts[account] = history
        events = sum(ACCOUNT_WEIGHS + len(history) for history in self._accounts.values())
        while events > EVENTS_KEPT and len(self._accounts) > len(wanted):
            _, gone = self._accounts.popitem(last=False)
            events -= ACCOUNT_WEIGHS + len(gone)

    def drop(self, account: int) -> None:
        """Read this one again when it is asked for."""
        self._accounts.pop(account, None)

    def key_of(self, name: str) -> bytes | None:
        """The keyed hash of a token's name; None without the network's list key."""
        return token_key_of(self._secret, name) if self._secret else None

    def at(self, db: sa.Connection, name: str) -> AccountHistory | None:
        """The account that a name belongs to ("card:...", "holder:..."); None for one that nobody said yet."""
        keeping = Keeping(db, self.programme.name)
        account = keeping.accounts_of([name]).get(name)
        return None if account is None else self.account(keeping, account)

    def every(self, db: sa.Connection) -> Iterator[AccountHistory]:
        """All accounts, one after the other."""
        return self.all_of(Keeping(db, self.programme.name))

    def all_of(self, keeping: Keeping) -> Iterator[AccountHistory]:
        """As `every`."""
        for some in _some_of(keeping.all_accounts()):
            self.load(keeping, some)
            for account in some:
                yield self.account(keeping, account)

    def _fresh(self, keeping: Keeping, new: Sequence[NewEvent]) -> list[NewEvent]:
        known = keeping.known([each.event.ref for each in new])
        fresh = []
        for each in new:
            line, before = _json.encode(each.event), known.get(each.event.ref)
            if before is None:
                known[each.event.ref] = line
                fresh.append(each)
            elif before != line:
                raise RefTaken(f"{each.event.ref!r} is the ref of another event already: each has one of its own")
        return fresh


class _Batch:
    """Events on their way into accounts, within one transaction."""

    def __init__(self, ledger: ProgrammeLedger, keeping: Keeping, booked_ms: int) -> None:
        self._ledger = ledger
        self._keeping = keeping
        self._booked_ms = booked_ms
        self._taken: list[tuple[NewEvent, int, int]] = []
        self._accounts: dict[str, int | None] = {}
        """Names that were looked up; None: nobody said it yet."""
        self._of_ref: dict[str, int] = {}
        self._into: dict[int, int] = {}
        self._answers: dict[str, Answer] = {}
        self._made: list[Posting] = []

    def look_up(self, names: Sequence[str]) -> None:
        """Many names at once: asking one by one costs more than posting."""
        wanted = list(dict.fromkeys(names))
        self._accounts |= dict.fromkeys(wanted) | self._keeping.accounts_of(wanted)

    def take(self, new: NewEvent) -> None:
        """Find an event's account; accounts that it brings together are one from now on."""
        event = new.event
        if isinstance(event, HoldDraw | ClockTick):
            self._bring_to(new.at_ms, event.ref)
        if isinstance(event, HoldDraw) or is_for_all(event):
            self.take_for(FOR_ALL, new)
            return
        names = list(dict.fromkeys(names_of(self._ledger.programme, event)))
        found = {name: self._account(name) for name in names}
        touched_by = list(found.values())
        if isinstance(event, ReverseSale | Dispute | PresentAfter):
            touched_by.append(self._account_of_ref(event.sale))
            if touched_by[-1] is None:
                found[SALE + event.sale] = self._account(SALE + event.sale)
                touched_by.append(found[SALE + event.sale])
        stand_ins = self._stand_ins(found)
        touched_by += [self._account(PLATE + stand_in) for stand_in in stand_ins]
        # What was said of this sale before it came.
        touched_by.append(self._account(SALE + event.ref))
        touched = sorted({account for account in touched_by if account is not None})
        account = touched[0] if touched else self._keeping.next_account()
        if len(touched) > 1:
            self._bring_together(account, touched[1:])
        for stand_in, plate in stand_ins.items():
            self._flush()
            history = self._ledger.account(self._keeping, account)
            self._made += history.rename_plate(stand_in, plate, self._booked_ms)
            history.postings.clear()
        for name, known in found.items():
            if known is None:
                self._keeping.keep_name(name, account, self._ledger.key_of(name))
                self._accounts[name] = account
        self.take_for(account, new)

    def _stand_ins(self, found: Mapping[str, int | None]) -> dict[str, str]:
        """By what stood in their place in sales: plates that are told now for the first time."""
        new = [name for name, known in found.items() if known is None and name.startswith(PLATE)]
        keys = {name.removeprefix(PLATE): self._ledger.key_of(name) for name in new}
        stand_ins = {unknown_plate(key): plate for plate, key in keys.items() if key is not None}
        return {stand_in: plate for stand_in, plate in stand_ins.items() if self._account(PLATE + stand_in) is not None}

    def take_for(self, account: int, new: NewEvent) -> None:
        self._of_ref[new.event.ref] = account
        self._taken.append((new, account, self._keeping.next_event()))

    def post(self) -> dict[str, Answer]:
        """Post all that was taken; the answers by ref."""
        touches_all = any(account == FOR_ALL for _, account, _ in self._taken)
        every = self._keeping.all_accounts() if touches_all else []
        by_account: dict[int, list[tuple[NewEvent, int]]] = {account: [] for account in every}
        for new, account, number in self._taken:
            if account != FOR_ALL:
                by_account.setdefault(self._found(account), []).append((new, number))
        for_all = [(new, number) for new, account, number in self._taken if account == FOR_ALL]
        for some in _some_of(list(by_account)):
            self._ledger.load(self._keeping, some)
            noted = {}
            for account in some:
                together = sorted([*by_account[account], *for_all], key=lambda each: each[1])
                new_ones = [new for new, _ in together if not isinstance(new.event, HoldDraw)]
                if new_ones:
                    noted[account] = self._post(account, new_ones)
            self._keeping.note_accounts(noted)
        for new, _ in for_all:
            if isinstance(new.event, HoldDraw):
                self._answers[new.event.ref] = self._draw(new)
            elif new.event.ref not in self._answers:
                self._answers[new.event.ref] = Engine(self._ledger.programme).post(new.event, new.at_ms)
        kept = []
        for new, account, taken in self._taken:
            event, found, number = new.event, self._found(account), taken
            if isinstance(event, Redeem) and _stays_refused(self._answers[event.ref]):
                kept.append(self._passed(new, found, number))
                number, found = self._keeping.next_event(), self._keeping.next_account()
            kept.append(
                KeptEvent(
                    event.ref,
                    number,
                    found,
                    str(type(event).__struct_config__.tag),
                    new.at_ms,
                    self._booked_ms,
                    new.source,
                    _json.encode(event),
                    _json.encode(self._answers[event.ref]),
                )
            )
        self._keeping.keep_events(kept)
        self._keeping.post(self._made)
        self._made.clear()
        self._taken.clear()
        return self._answers

    def _post(self, account: int, new: list[NewEvent]) -> tuple[int, int]:
        """When its last event was, and when something is due next."""
        history = self._ledger.account(self._keeping, account)
        made, answers = history.post_all(
            [(each.at_ms, each.event) for each in new],
            self._booked_ms,
            facts=any(each.source == STATION for each in new),
        )
        history.postings.clear()
        self._made += made
        for ref, answer in answers.items():
            before = self._answers.get(ref)
            self._answers[ref] = answer if before is None else _joined(before, answer)
        return history.last_ms, history.engine.books.next_due_ms()

    def _passed(self, new: NewEvent, account: int, number: int) -> KeptEvent:
        """In the place of a redemption that was refused: of that, only time passes. What comes late never grants it."""
        local = LocalTime(self._ledger.programme.zone)
        tick = ClockTick(
            at=at_text(local, new.at_ms), ref=f"{OWN_REFS}{account}/{new.at_ms}/{new.event.ref}"[:REF_LETTERS]
        )
        self._ledger.drop(account)
        answer = _json.encode(Answer(tick.ref, "accepted", None, {}))
        return KeptEvent(
            tick.ref, number, account, "clock", new.at_ms, self._booked_ms, "time", _json.encode(tick), answer
        )

    def _draw(self, new: NewEvent) -> Answer:
        """A draw is among the members of all accounts: their names are brought together in books of their own."""
        assert isinstance(new.event, HoldDraw)
        engine = Engine(self._ledger.programme)
        for history in self._ledger.all_of(self._keeping):
            for holder in history.engine.books.holders:
                if holder.kind == "person" and holder.verified and not holder.cancelled:
                    engine.books.add_holder(holder.id, "person").verified = True
        return engine.post(new.event, new.at_ms)

    def _bring_to(self, at_ms: int, ref: str) -> None:
        """Let time pass for all for whom something is due by then."""
        self._flush()
        local = LocalTime(self._ledger.programme.zone)
        for account in self._keeping.all_accounts(due_until_ms=at_ms):
            tick = ClockTick(at=at_text(local, at_ms), ref=f"{OWN_REFS}{account}/{at_ms}/{ref}")
            self.take_for(account, NewEvent(at_ms, tick, "time"))
        self._flush()

    def _bring_together(self, account: int, others: Sequence[int]) -> None:
        """Accounts become one. Each is brought to the same time first, so that joining them changes no balance."""
        self._flush()
        all_of_them = [account, *others]
        ends = {each: self._keeping.last_ms(each) or 0 for each in all_of_them}
        last_ms = max(ends.values())
        local = LocalTime(self._ledger.programme.zone)
        for each, end_ms in ends.items():
            if end_ms < last_ms:
                tick = ClockTick(at=at_text(local, last_ms), ref=f"{OWN_REFS}{each}/{last_ms}/joined")
                self.take_for(each, NewEvent(last_ms, tick, "time"))
        self._flush()
        for other in others:
            self._keeping.merge(account, other)
            self._into[other] = account
            self._ledger.drop(other)
        self._ledger.drop(account)

    def _flush(self) -> None:
        """Post what was taken so far: what comes then depends on it."""
        if self._taken:
            self.post()

    def _account(self, name: str) -> int | None:
        if name not in self._accounts:
            self.look_up([name])
        found = self._accounts[name]
        return None if found is None else self._found(found)

    def _account_of_ref(self, ref: str) -> int | None:
        found = self._of_ref.get(ref)
        found = self._keeping.account_of_event(ref) if found is None else found
        return None if found is None or found == FOR_ALL else self._found(found)

    def _found(self, account: int) -> int:
        while account in self._into:
            account = self._into[account]
        return account


def _some_of(accounts: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
        yield accounts[start : start + ACCOUNTS_AT_ONCE]


def decode_kept(line: bytes) -> AnyEvent:
    """An event of the table."""
    return _kept.decode(line)


def at_text(local: LocalTime, at_ms: int) -> str:
    """A moment as an event has it."""
    return local.local(at_ms).isoformat(timespec="milliseconds")


def _stays_refused(answer: Answer) -> bool:
    """Whether a redemption was refused, but for a PIN: wrong ones are counted, and stay wrong."""
    return answer.result == "declined" and answer.reason not in (Reason.PIN_WRONG, Reason.PIN_LOCKED)


def _joined(one: Answer, other: Answer) -> Answer:
    """The answers of two accounts to one event for all."""
    joined = msgspec.structs.replace(one, balances=one.balances | other.balances)
    if one.results is UNSET and other.results is UNSET:
        return joined
    results = sorted(
        (*(one.results or ()), *(other.results or ())), key=lambda each: each.customer or each.contract or ""
    )
    return msgspec.structs.replace(joined, results=tuple(results))
