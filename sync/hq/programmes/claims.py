"""Claims for repairs with their evidence, findings that close them, and rows that a person has to look at.

The engine says what the evidence is; a finding moves no account, and is kept beside it.
"""

import sqlalchemy as sa

from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.events import ClaimYes, decode
from controller.domain.programmes.folding import fold_plate
from controller.domain.records import RowName
from controller.domain.tokens import mask_card
from sync.hq.programmes.asks import (
    Claim,
    ClaimsAnswer,
    ClaimsAsk,
    Evidence,
    FindingAnswer,
    FindingAsk,
    OdditiesAnswer,
    OdditiesAsk,
    Oddity,
)
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import ProgrammeLedger
from sync.hq.programmes.statements import FOR_EVER_MS, DeskError
from sync.hq.programmes.tables import findings, oddities, posted_again

FINDING_LETTERS, BY_LETTERS = 2_000, 200


def claims(db: sa.Connection, ledger: ProgrammeLedger, ask: ClaimsAsk) -> ClaimsAnswer:
    """All claims that were taken up, or those that are open, in the order of their times."""
    keeping, local = Keeping(db, ledger.programme.name), LocalTime(ledger.programme.zone)
    mine = findings.c.programme == ledger.programme.name
    found = {row.claim: row for row in db.execute(sa.select(findings).where(mine))}
    told = []
    for kept in keeping.events_between(["claim.yes"], 0, FOR_EVER_MS):
        event, finding = decode(kept.line), found.get(kept.ref)
        assert isinstance(event, ClaimYes)
        if finding is not None and not ask.all:
            continue
        books = ledger.account(keeping, kept.account).engine.books
        if kept.ref not in books.claims:
            continue  # it was refused
        told.append(
            Claim(
                kept.ref,
                local.text(kept.at_ms),
                fold_plate(event.plate),
                event.damaged_at,
                event.repair_minor,
                tuple(_evidence(books, ref) for ref in books.claims[kept.ref]),
                "" if finding is None else finding.finding,
                "" if finding is None else finding.found_by,
                "" if finding is None else local.text(finding.at_ms),
            )
        )
    currency = ledger.programme.currency
    return ClaimsAnswer(ledger.programme.name, currency.code, currency.decimals, tuple(told))


def record_finding(db: sa.Connection, ledger: ProgrammeLedger, ask: FindingAsk, now_ms: int) -> FindingAnswer:
    """Close a claim by what was found. Once, and for ever; the same again changes nothing. DeskError."""
    programme, finding, by = ledger.programme.name, ask.finding.strip(), ask.by.strip()
    if not 0 < len(finding) <= FINDING_LETTERS or not 0 < len(by) <= BY_LETTERS:
        raise DeskError(
            f"expected a finding of at most {FINDING_LETTERS} letters, and who found it in at most {BY_LETTERS}"
        )
    keeping = Keeping(db, programme)
    account = keeping.account_of_event(ask.claim)
    if account is None or ask.claim not in ledger.account(keeping, account).engine.books.claims:
        raise DeskError(f"{programme} knows no claim {ask.claim}: see `forecourt hq programme claims`")
    mine = findings.c.programme == programme, findings.c.claim == ask.claim
    known = db.execute(sa.select(findings).where(*mine)).one_or_none()
    if known is None:
        new = {"claim": ask.claim, "finding": finding, "found_by": by, "at_ms": now_ms}
        db.execute(sa.insert(findings).values(programme=programme, **new))
    elif (known.finding, known.found_by) != (finding, by):
        raise DeskError(f"{ask.claim} is closed already, by {known.found_by}: {known.finding}")
    return FindingAnswer(ask.claim)


def odd_rows(db: sa.Connection, ledger: ProgrammeLedger, ask: OdditiesAsk) -> OdditiesAnswer:
    """What could not be posted as it is, by the time at which it was seen."""
    local, found = LocalTime(ledger.programme.zone), []
    for table in (oddities, posted_again) if ask.all else (oddities,):
        for row in db.execute(sa.select(table).where(table.c.programme == ledger.programme.name)):
            again = "" if table is oddities else local.text(row.again_ms)
            name = RowName(bytes(row.epoch), row.seq).text
            odd = Oddity(row.station_id, name, row.what, local.text(row.at_ms), again)
            found.append((row.at_ms, row.station_id, row.seq, again, odd))
    return OdditiesAnswer(tuple(odd for *_, odd in sorted(found, key=lambda each: each[:4])))


def _evidence(books: Books, ref: str) -> Evidence:
    sales = books.sales
    number = sales.refs[ref]
    return Evidence(
        ref,
        books.time.text(sales.at_ms[number]),
        mask_card(sales.card_of(number)),
        sales.station_of(number),
        sales.volume_ml[number],
        sales.amount_minor[number],
    )
