"""What persons of the office do at the desk that no file of events says: PINs unlocked; and a list of all deeds.

Each is kept with its time, and most with who did it and why, for ever. Knows no command.
"""

from collections.abc import Iterator

import sqlalchemy as sa

from controller.domain.names import RowName
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.unlocking import UnlockPin, is_locked
from controller.domain.programmes.vouchers import has_expired
from controller.domain.tokens import mask_phone, mask_voucher
from sync.hq.programmes.asks import PinAnswer, PinAsk
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import OWN_REFS, NewEvent, ProgrammeLedger, at_text, decode_kept
from sync.hq.programmes.office_asks import Deed, OfficeAnswer, OfficeAsk, UnlockAsk
from sync.hq.programmes.routing import HOLDER, VOUCHER
from sync.hq.programmes.secrets_kept import SecretsKept
from sync.hq.programmes.statements import FOR_EVER_MS, DeskError
from sync.hq.programmes.tables import acts_issued, issued, phones_split, posted_again

BY_LETTERS, WHY_LETTERS = 200, 500
OFFICE = "office"
"""The source of what a person did at the desk."""


def check_signed(by: str, why: str, what: str) -> tuple[str, str]:
    """Who, and why; DeskError where either is not told."""
    by, why = by.strip(), why.strip()
    if not (0 < len(by) <= BY_LETTERS and 0 < len(why) <= WHY_LETTERS):
        raise DeskError(f"expected who {what}, in at most {BY_LETTERS} letters, and why, in at most {WHY_LETTERS}")
    return by, why


def set_pin(db: sa.Connection, ledger: ProgrammeLedger, ask: PinAsk) -> PinAnswer:
    """Keep what a new PIN is checked by. One that is locked stays so. DeskError."""
    name = (VOUCHER if ask.voucher else HOLDER) + ask.name
    books = _books(db, ledger, name, ask.name)
    SecretsKept(db, ask.programme).keep_verifier(name, ask.verifier)
    of = books.vouchers.get(ask.name) if ask.voucher else books.holder_of.get(ask.name)
    return PinAnswer(ask.name, of is not None and is_locked(books, of))


def unlock_pin(db: sa.Connection, ledger: ProgrammeLedger, ask: UnlockAsk, now_ms: int) -> PinAnswer:
    """Forget wrong PINs, here and (with the next list) at stations; with a new PIN, if one is given.

    DeskError; then the transaction must come to nothing.
    """
    by, why = check_signed(ask.by, ask.why, "unlocks it")
    name = (VOUCHER if ask.voucher else HOLDER) + ask.name
    _books(db, ledger, name, ask.name)
    keeping, kept = Keeping(db, ask.programme), SecretsKept(db, ask.programme)
    event = UnlockPin(
        at=at_text(LocalTime(ledger.programme.zone), now_ms),
        ref=f"{OWN_REFS}unlock/{keeping.count + 1}",
        by=by,
        why=why,
        holder=None if ask.voucher else ask.name,
        voucher=ask.name if ask.voucher else None,
    )
    (entered,) = ledger.enter(db, [NewEvent(now_ms, event, OFFICE)], now_ms)
    if entered.answer is None or entered.answer.result != "accepted":
        raise DeskError(f"{ask.programme} knows no {ask.name}: enter it first")
    _check_asked(_books(db, ledger, name, ask.name), ask)
    verifier = ask.verifier or kept.verifier(name)
    if verifier:
        kept.keep_verifier(name, verifier)
    return PinAnswer(ask.name)


def deeds(db: sa.Connection, ledger: ProgrammeLedger, ask: OfficeAsk) -> OfficeAnswer:
    """All of them, in the order of their times."""
    local = LocalTime(ledger.programme.zone)
    found = sorted(_deeds(db, ask.programme, local), key=lambda each: each[0])
    return OfficeAnswer(tuple(deed for _, deed in found))


def _deeds(db: sa.Connection, programme: str, local: LocalTime) -> Iterator[tuple[int, Deed]]:
    for kept in Keeping(db, programme).events_between(["pin.unlock"], 0, FOR_EVER_MS):
        event = decode_kept(kept.line)
        assert isinstance(event, UnlockPin)
        of = f"voucher {mask_voucher(event.voucher)}" if event.voucher else event.holder or ""
        yield kept.at_ms, Deed(local.text(kept.at_ms), "PIN unlocked", of, event.by, event.why)
    for row in db.execute(sa.select(posted_again).where(posted_again.c.programme == programme)):
        of = f"{row.station_id}/{RowName(bytes(row.epoch), row.seq).text}"
        yield row.again_ms, Deed(local.text(row.again_ms), "posted again", of)
    for row in db.execute(sa.select(phones_split).where(phones_split.c.programme == programme)):
        of = f"{mask_phone(row.phone)}, {row.holder}'s from {local.local(row.from_ms).date()} on"
        yield row.at_ms, Deed(local.text(row.at_ms), "phone split", of, row.split_by, row.why)
    for row in db.execute(sa.select(issued).where(issued.c.programme == programme)):
        of = f"{row.number}, {row.customer}, {row.period}"
        yield row.issued_ms, Deed(local.text(row.issued_ms), "statement issued", of)
    for row in db.execute(sa.select(acts_issued).where(acts_issued.c.programme == programme)):
        of = f"{row.number}, {row.contract}, {row.period}"
        yield row.issued_ms, Deed(local.text(row.issued_ms), "act issued", of)


def _check_asked(books: Books, ask: UnlockAsk) -> None:
    """That somebody is asked for this PIN at all. DeskError. `books`: at the time of the unlocking."""
    if ask.voucher:
        voucher = books.vouchers[ask.name]
        if voucher.cancelled or has_expired(books, voucher):
            shown = mask_voucher(ask.name)
            raise DeskError(f"{shown} is cancelled, or has expired: there is no PIN to unlock")
        return
    proof = books.rules.proofs.get(books.holder_of[ask.name].kind)
    if proof is None or proof.proof != "pin":
        raise DeskError(f"{ask.programme} asks {ask.name} for no PIN: there is none to unlock")


def _books(db: sa.Connection, ledger: ProgrammeLedger, name: str, told: str) -> Books:
    history = ledger.at(db, name)
    if history is None:
        raise DeskError(f"{ledger.programme.name} knows no {told}: enter it first")
    return history.engine.books
