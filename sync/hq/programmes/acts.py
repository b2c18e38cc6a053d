"""Acts of price change that were issued: kept as they were, numbered, with a fingerprint; others correct them.

What is known of a month is held against what was issued of it last. A correcting act says both, and the difference; so
the differences of a month's acts together are the discount that is due. Knows no command and no screen but the text.
"""

import hashlib

import msgspec
import sqlalchemy as sa

from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.members import Holder
from controller.domain.programmes.periods import undiscounted
from sync.hq.programmes import showing
from sync.hq.programmes.asks import ActAnswer, ActAsk, IssueActAsk, IssuedAct
from sync.hq.programmes.statements import DeskError, act, period_of
from sync.hq.programmes.tables import acts_issued

_decoder = msgspec.json.Decoder(IssuedAct)


class IssuedActs:
    """One programme's part of the table, within one transaction."""

    def __init__(self, db: sa.Connection, programme: str) -> None:
        self._db = db
        self._programme = programme

    def of(self, contract: str, period: str) -> tuple[IssuedAct, ...]:
        """A month's, in the order in which they were issued."""
        where = self._mine, acts_issued.c.contract == contract, acts_issued.c.period == period
        query = sa.select(acts_issued.c.answer).where(*where).order_by(acts_issued.c.number)
        return tuple(_decoder.decode(bytes(answer)) for answer in self._db.execute(query).scalars())

    def keep(self, drawn: IssuedAct, issued_ms: int, issued_text: str) -> IssuedAct:
        """Issue it: give it the programme's next number, and keep it with its text."""
        last = self._db.execute(sa.select(sa.func.max(acts_issued.c.number)).where(self._mine)).scalar()
        numbered = msgspec.structs.replace(drawn, number=(last or 0) + 1, issued=issued_text)
        document = "".join(f"{line}\n" for line in showing.act_document(numbered))
        fingerprint = hashlib.sha256(document.encode()).hexdigest()
        whole = msgspec.structs.replace(numbered, document=document, fingerprint=fingerprint)
        self._db.execute(
            sa.insert(acts_issued).values(
                programme=self._programme,
                number=whole.number,
                contract=whole.act.contract,
                period=whole.act.month,
                issued_ms=issued_ms,
                fingerprint=fingerprint,
                answer=msgspec.json.encode(whole),
            )
        )
        return whole

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return acts_issued.c.programme == self._programme


def acts_of(db: sa.Connection, books: Books, holder: Holder, ask: ActAsk | IssueActAsk) -> ActAnswer:
    """What is known of a closed month, what was issued of it, and what would be issued next. DeskError."""
    known = act(books, holder, ask)
    issued = IssuedActs(db, ask.programme).of(holder.id, known.period)
    return msgspec.structs.replace(known, issued=issued, draft=_draft(books, holder, known, issued))


def issue_act(db: sa.Connection, books: Books, holder: Holder, ask: IssueActAsk, now_ms: int) -> ActAnswer:
    """Issue a month's act, once; with `correction`, what it says otherwise than is known now. DeskError."""
    found = acts_of(db, books, holder, ask)
    if ask.correction and not found.issued:
        raise DeskError(f"no act of {holder.id}, {found.period} was issued: there is nothing to correct")
    if not found.issued and found.draft is None:
        raise DeskError(f"no act for {holder.id}, {found.period}: {found.reason}. There is nothing to issue")
    if found.draft is not None and bool(found.issued) == ask.correction:
        text = LocalTime(books.programme.zone).text(now_ms)
        IssuedActs(db, ask.programme).keep(found.draft, now_ms, text)
    return acts_of(db, books, holder, ask)


def _draft(books: Books, holder: Holder, known: ActAnswer, issued: tuple[IssuedAct, ...]) -> IssuedAct | None:
    if not issued:
        return None if known.act is None else IssuedAct(known.currency, known.decimals, known.act)
    period = period_of(known.period)
    now, before = known.act or undiscounted(books, holder, period.month, period.name), issued[-1]
    if now == before.act:
        return None
    return IssuedAct(known.currency, known.decimals, now, before.act, before.number, known.reason)
