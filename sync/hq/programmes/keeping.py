"""What is written and read of one programme's tables, within one transaction. Knows no rule of any programme."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from controller.domain.programmes.answers import Result
from controller.domain.programmes.dates import NEVER_MS
from controller.domain.programmes.ledger import Posting
from sync.hq.programmes.tables import accounts, balances, events, legs, names, programmes

FOR_ALL = 0
"""The account of events that bear upon all accounts."""
DRAW = "draw"
"""Among all members, and so of no account: it changes none."""
NAMES_AT_ONCE = 500
WHOLE = (1 << 63) - 1
"""Beyond it, either way, a database makes a number no whole one any more, or refuses it."""
_T = TypeVar("_T")

# What each event costs is built once: to build such a statement takes longer than to run it.
_EVENTS_OF = (
    sa.select(
        *(events.c[name] for name in ("account", "at_ms", "number", "line")),
        sa.case((events.c.kind == "redeem", events.c.answer)).label("redeemed"),
    )
    .where(
        events.c.programme == sa.bindparam("programme"),
        events.c.account.in_(sa.bindparam("accounts", expanding=True)),
        events.c.kind != DRAW,
    )
    .order_by(events.c.account, events.c.at_ms, events.c.number)
)
_ACCOUNT = accounts.c.programme == sa.bindparam("b_programme"), accounts.c.account == sa.bindparam("b_account")
_MOVE_ACCOUNT = (
    sa.update(accounts).where(*_ACCOUNT).values(last_ms=sa.bindparam("b_last"), due_ms=sa.bindparam("b_due"))
)
_MOVE_DUE = sa.update(accounts).where(*_ACCOUNT).values(due_ms=sa.bindparam("b_due"))
_MOVE_BALANCE = (
    sa.update(balances)
    .where(
        balances.c.programme == sa.bindparam("b_programme"),
        balances.c.commodity == sa.bindparam("b_commodity"),
        balances.c.account == sa.bindparam("b_account"),
    )
    .values(amount=balances.c.amount + sa.bindparam("by"))
)


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event as it is kept. `line`, `answer`: JSON."""

    ref: str
    number: int
    account: int
    kind: str
    at_ms: int
    booked_ms: int
    source: str
    line: bytes
    answer: bytes


class _Answer(msgspec.Struct, frozen=True):
    """Of an answer, what is asked again."""

    result: Result


_answers = msgspec.json.Decoder(_Answer)


class Keeping:
    """One programme's part of the tables, within one transaction."""

    def __init__(self, db: sa.Connection, programme: str) -> None:
        self._db = db
        self._programme = programme
        found = db.execute(sa.select(programmes).where(programmes.c.programme == programme)).one_or_none()
        if found is None:
            db.execute(sa.insert(programmes).values(programme=programme, events=0, postings=0, accounts=0))
        self._events = 0 if found is None else found.events
        self._postings = 0 if found is None else found.postings
        self._accounts = 0 if found is None else found.accounts

    # Numbers.

    @property
    def count(self) -> int:
        """Events that are kept."""
        return self._events

    def next_event(self) -> int:
        self._events += 1
        return self._events

    def next_account(self) -> int:
        self._accounts += 1
        return self._accounts

    def end(self) -> None:
        """Keep how far the numbers have come."""
        self._db.execute(
            sa.update(programmes)
            .where(programmes.c.programme == self._programme)
            .values(events=self._events, postings=self._postings, accounts=self._accounts)
        )

    # Events.

    def known(self, refs: Sequence[str]) -> dict[str, bytes]:
        """The lines of those of these events that are kept."""
        found: dict[str, bytes] = {}
        for some in _pieces(refs):
            query = sa.select(events.c.ref, events.c.line).where(self._mine(events), events.c.ref.in_(some))
            found |= {row.ref: bytes(row.line) for row in self._db.execute(query)}
        return found

    def account_of_event(self, ref: str) -> int | None:
        query = sa.select(events.c.account).where(self._mine(events), events.c.ref == ref)
        return self._db.execute(query).scalar()

    def line_of(self, ref: str) -> bytes | None:
        """An event as it was entered; None where there is none."""
        query = sa.select(events.c.line).where(self._mine(events), events.c.ref == ref)
        found = self._db.execute(query).scalar()
        return None if found is None else bytes(found)

    def answer_of(self, ref: str) -> bytes | None:
        """What was said of it."""
        query = sa.select(events.c.answer).where(self._mine(events), events.c.ref == ref)
        found = self._db.execute(query).scalar()
        return None if found is None else bytes(found)

    def events_of(self, wanted: Sequence[int]) -> dict[int, list[tuple[int, bytes, bool]]]:
        """(at_ms, line, whether it is a granted redemption) of accounts' events, with those for all, by their times."""
        found: dict[int, list[tuple[int, int, bytes, bool]]] = {account: [] for account in (*wanted, FOR_ALL)}
        for some in _pieces([*wanted, FOR_ALL]):
            for row in self._db.execute(_EVENTS_OF, {"programme": self._programme, "accounts": some}):
                found[row.account].append((row.at_ms, row.number, row.line, _granted(row.redeemed)))
        for_all = found[FOR_ALL]
        return {
            account: [
                (at_ms, line, answer) for at_ms, _, line, answer in (sorted([*mine, *for_all]) if for_all else mine)
            ]
            for account, mine in found.items()
            if account != FOR_ALL
        }

    def keep_events(self, new: Sequence[KeptEvent]) -> None:
        if new:
            fields = KeptEvent.__slots__
            rows = [{name: getattr(event, name) for name in fields} for event in new]
            self._db.execute(sa.insert(events), [{"programme": self._programme, **row} for row in rows])

    def events_between(self, kinds: Sequence[str], from_ms: int, until_ms: int) -> Iterator[KeptEvent]:
        """Events of some kinds, by their times."""
        query = (
            sa.select(*(events.c[name] for name in KeptEvent.__slots__))
            .where(self._mine(events), events.c.kind.in_(kinds), events.c.at_ms.between(from_ms, until_ms - 1))
            .order_by(events.c.at_ms, events.c.number)
        )
        for row in self._db.execute(query):
            yield KeptEvent(**(dict(row._mapping) | {"line": bytes(row.line), "answer": bytes(row.answer)}))

    # Names and accounts.

    def accounts_of(self, wanted: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in _pieces(wanted):
            query = sa.select(names.c.name, names.c.account).where(self._mine(names), names.c.name.in_(some))
            found |= {row.name: row.account for row in self._db.execute(query)}
        return found

    def names_with(self, token_key: bytes) -> list[str]:
        """The tokens of this keyed hash: one, as far as anybody can tell."""
        query = sa.select(names.c.name).where(self._mine(names), names.c.token_key == token_key)
        return list(self._db.execute(query.order_by(names.c.name)).scalars())

    def names_of_keys(self, token_keys: Sequence[bytes]) -> dict[bytes, list[str]]:
        """As `names_with`, for many."""
        found: dict[bytes, list[str]] = {key: [] for key in token_keys}
        for some in _pieces(token_keys):
            query = sa.select(names.c.name, names.c.token_key).where(self._mine(names), names.c.token_key.in_(some))
            for row in self._db.execute(query.order_by(names.c.name)):
                found[bytes(row.token_key)].append(row.name)
        return found

    def names_without_key(self) -> list[str]:
        query = sa.select(names.c.name).where(self._mine(names), names.c.token_key.is_(None))
        return list(self._db.execute(query).scalars())

    def keep_name(self, name: str, account: int, token_key: bytes | None) -> None:
        self._db.execute(
            sa.insert(names).values(programme=self._programme, name=name, account=account, token_key=token_key)
        )

    def give_key(self, name: str, token_key: bytes) -> None:
        where = (self._mine(names), names.c.name == name)
        self._db.execute(sa.update(names).where(*where).values(token_key=token_key))

    def merge(self, into: int, account: int) -> None:
        """One account from now on."""
        for table in (events, names):
            where = (self._mine(table), table.c.account == account)
            self._db.execute(sa.update(table).where(*where).values(account=into))
        self._db.execute(sa.delete(accounts).where(self._mine(accounts), accounts.c.account == account))

    def last_ms(self, account: int) -> int | None:
        query = sa.select(accounts.c.last_ms).where(self._mine(accounts), accounts.c.account == account)
        return self._db.execute(query).scalar()

    def all_accounts(self, due_until_ms: int | None = None) -> list[int]:
        """All of them, or those for which time alone changes something until then."""
        query = sa.select(accounts.c.account).where(self._mine(accounts)).order_by(accounts.c.account)
        if due_until_ms is not None:
            query = query.where(accounts.c.due_ms <= due_until_ms)
        return list(self._db.execute(query).scalars())

    def note_due(self, due: Mapping[int, int]) -> None:
        """When time alone changes something next, by account; the rest is as it was."""
        if due:
            rows = [{**self._named(account), "b_due": min(at_ms, NEVER_MS)} for account, at_ms in due.items()]
            self._db.execute(_MOVE_DUE, rows)

    def note_accounts(self, new: Mapping[int, tuple[int, int]]) -> None:
        """(last_ms, due_ms) of accounts."""
        known: set[int] = set()
        for some in _pieces(list(new)):
            query = sa.select(accounts.c.account).where(self._mine(accounts), accounts.c.account.in_(some))
            known |= set(self._db.execute(query).scalars())
        moved = [
            {**self._named(account), "b_last": last_ms, "b_due": min(due_ms, NEVER_MS)}
            for account, (last_ms, due_ms) in new.items()
            if account in known
        ]
        made = [
            {"programme": self._programme, "account": account, "last_ms": last_ms, "due_ms": min(due_ms, NEVER_MS)}
            for account, (last_ms, due_ms) in new.items()
            if account not in known
        ]
        if moved:
            self._db.execute(_MOVE_ACCOUNT, moved)
        if made:
            self._db.execute(sa.insert(accounts), made)

    # Postings and balances.

    def post(self, made: Iterable[Posting]) -> None:
        """Keep postings, and move the balances of their accounts. OverflowError; then the transaction is to end."""
        rows, moved = [], dict[tuple[str, str], int]()
        for posting in made:
            self._postings += 1
            for number, leg in enumerate(posting.legs):
                rows.append(
                    {
                        "programme": self._programme,
                        "number": self._postings,
                        "leg": number,
                        "ref": posting.ref,
                        "event_ms": posting.event_ms,
                        "booked_ms": posting.booked_ms,
                        "commodity": posting.commodity,
                        "account": leg.account,
                        "amount": leg.amount,
                    }
                )
                key = (posting.commodity, leg.account)
                moved[key] = moved.get(key, 0) + leg.amount
        if rows:
            self._db.execute(sa.insert(legs), rows)
        self._move_balances(moved)

    def _move_balances(self, moved: Mapping[tuple[str, str], int]) -> None:
        known: dict[tuple[str, str], int] = {}
        for commodity in sorted({commodity for commodity, _ in moved}):
            for some in _pieces([account for of, account in moved if of == commodity]):
                mine = self._mine(balances), balances.c.commodity == commodity
                query = sa.select(balances.c.account, balances.c.amount).where(*mine, balances.c.account.in_(some))
                known |= {(commodity, row.account): int(row.amount) for row in self._db.execute(query)}
        changed, new = [], []
        for (commodity, account), amount in sorted(moved.items()):
            if abs(known.get((commodity, account), 0) + amount) > WHOLE:
                raise OverflowError(f"the balance of {account} would leave 64 bits")
            if (commodity, account) in known:
                named = {"b_programme": self._programme, "b_commodity": commodity, "b_account": account}
                changed.append({**named, "by": amount})
            else:
                row = {"programme": self._programme, "commodity": commodity, "account": account, "amount": amount}
                new.append(row)
        if changed:
            self._db.execute(_MOVE_BALANCE, changed)
        if new:
            self._db.execute(sa.insert(balances), new)

    def balances(self) -> list[tuple[str, str, int]]:
        """(commodity, account, balance), all of them, by name."""
        query = sa.select(balances.c.commodity, balances.c.account, balances.c.amount).where(self._mine(balances))
        found = self._db.execute(query.order_by(balances.c.commodity, balances.c.account))
        return [(row.commodity, row.account, int(row.amount)) for row in found]

    def recount(self) -> list[tuple[str, str, int]]:
        """The same from the postings themselves."""
        total = sa.func.sum(legs.c.amount)
        query = sa.select(legs.c.commodity, legs.c.account, total.label("total")).where(self._mine(legs))
        found = self._db.execute(
            query.group_by(legs.c.commodity, legs.c.account).order_by(legs.c.commodity, legs.c.account)
        )
        return [(row.commodity, row.account, int(row.total)) for row in found]

    def _named(self, account: int) -> dict[str, object]:
        return {"b_programme": self._programme, "b_account": account}

    def _mine(self, table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.programme == self._programme


def _granted(answer: bytes | None) -> bool:
    return answer is not None and _answers.decode(answer).result == "accepted"


def _pieces(wanted: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Databases take so many values in one statement."""
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        yield wanted[start : start + NAMES_AT_ONCE]
