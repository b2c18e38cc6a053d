"""Points on the request lane: how many there are, one-time passwords, redemptions, and their reversal.

Implements `sync.hq.requests.Answering` for these questions. What is answered stands in the ledger under the command id
first, so the same id gets the same outcome; what was voided before it came is refused for ever. Knows no HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import msgspec
import sqlalchemy as sa

from controller.domain.memberships import PurseState
from controller.domain.programmes.answers import Result
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.events import Proof, Redeem, ReverseSale, decode
from controller.domain.programmes.late import AccountHistory
from controller.domain.programmes.members import Holder
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import PRODUCTS
from controller.domain.questions import (
    CodeAnswer,
    CodeAsk,
    PhoneAnswer,
    PhoneAsk,
    PointsAnswer,
    PointsAsk,
    Question,
    QuestionAnswer,
    RedeemAnswer,
    RedeemAsk,
    VoidAnswer,
    VoidAsk,
)
from controller.domain.reasons import Reason as StationReason
from controller.domain.seams import Randomness
from controller.domain.tokens import TokenKind, mask_phone
from controller.pincheck import verify
from sync.hq.programmes.apart import Apart
from sync.hq.programmes.code_bounds import CodeBounds, by_station, by_token
from sync.hq.programmes.codes import CODE_MS, new_code, try_code
from sync.hq.programmes.desk import Desk
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import NewEvent, ProgrammeLedger, at_text
from sync.hq.programmes.posting import PREFIX
from sync.hq.programmes.routing import PHONE, VOUCHER
from sync.hq.programmes.secrets_kept import SecretsKept
from sync.hq.programmes.splitting import Splits
from sync.hq.sms import Sms, SmsGateway, SmsUnsent
from sync.wire import RefusedAnswer

REQUEST = "request"
MS_PER_MINUTE = 60_000
ANY_PHONE = "this phone, if it is a member's"
"""Where a code went that was asked for by a phone."""
_T = TypeVar("_T")
_reasons = {str(reason): reason for reason in Reason}


class _Kept(msgspec.Struct, frozen=True):
    result: Result
    reason: str | None


_answers = msgspec.json.Decoder(_Kept)


@dataclass(frozen=True, slots=True)
class _Found:
    """Whose token it is, in which programme. `phone`: the token itself, where it is a phone."""

    ledger: ProgrammeLedger
    history: AccountHistory
    holder: Holder
    phone: str

    @property
    def books(self) -> Books:
        return self.history.engine.books


class Redemptions:
    """Answers what stations ask of points. `chance`: for one-time passwords.

    Only enrolled stations ask. Of points they are told whether a phone is a member's: the list that they go by says the
    same. A code is asked for by whoever types a number at a pump, and so its answer does not tell.
    """

    def __init__(self, desk: Desk, gateway: SmsGateway, chance: Randomness) -> None:
        self._desk = desk
        self._gateway = gateway
        self._chance = chance

    def answer(self, station: str, command_id: str, question: Question, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        """See Answering."""
        if not self._desk.programmes:
            return _refused(Reason.CARD_UNKNOWN)
        match question:
            case PointsAsk():
                return self._in_one(partial(self._points, ask=question, now_ms=now_ms))
            case CodeAsk():
                return self._send_code(station, question, now_ms)
            case PhoneAsk():
                return self._in_one(partial(self._phone, _ref(station, command_id), question, now_ms))
            case RedeemAsk():
                return self._in_one(partial(self._redeem, station, command_id, question, now_ms))
            case VoidAsk():
                return self._in_one(partial(self._void, station, question.command_id, now_ms))
        return RefusedAnswer(StationReason.HEADQUARTERS_REFUSED, "headquarters does not answer this")

    def _in_one(self, work: Callable[[sa.Connection], _T]) -> _T:
        return self._desk.in_one(work)

    def _points(self, db: sa.Connection, ask: PointsAsk, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        found = self._find(db, ask.token_kind, ask.token_key, now_ms)
        if found is None:
            return _refused(Reason.CARD_UNKNOWN)
        return PointsAnswer(found.ledger.programme.name, _purses(found), now_ms)

    def _send_code(self, station: str, ask: CodeAsk, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        """What is sent is remembered first; a message that is taken on late or twice does no harm.

        A phone that nobody knows is answered as any: whoever types numbers does not learn whose is a member's.
        """
        made: list[tuple[str, str]] = []

        def work(db: sa.Connection) -> QuestionAnswer | RefusedAnswer:
            bounds, by_phone = CodeBounds(db), ask.token_kind is TokenKind.PHONE
            askers = [by_station(station), by_token(ask.token_key)]
            found = self._find(db, ask.token_kind, ask.token_key, now_ms)
            phone = "" if found is None else _phone_of(db, found, now_ms)
            if found is not None and phone:
                key = found.ledger.key_of(PHONE + phone)
                askers += [] if key is None else [by_token(key)]
            wait_ms = bounds.wait_ms(askers, now_ms)
            if wait_ms:
                minutes = -(-wait_ms // MS_PER_MINUTE)
                text = f"too many codes were asked for within an hour: ask again in {minutes} minutes"
                return RefusedAnswer(StationReason.HEADQUARTERS_REFUSED, text)
            bounds.count(askers, now_ms)
            digits, code = new_code(self._chance, now_ms)
            if found is None and by_phone:
                SecretsKept(db, self._desk.programmes[0]).keep_code(_nobody(ask.token_key), code)
                return CodeAnswer(ANY_PHONE)
            if found is None:
                return _refused(Reason.CARD_UNKNOWN)
            if not phone:
                return _refused(Reason.PROFILE_INCOMPLETE)
            SecretsKept(db, found.ledger.programme.name).keep_code(found.holder.id, code)
            made.append((phone, digits))
            return CodeAnswer(ANY_PHONE if by_phone else mask_phone(phone))

        answer = self._in_one(work)
        for phone, digits in made:
            try:
                self._gateway.send(
                    Sms(phone, f"{digits} is your one-time password, for {CODE_MS // MS_PER_MINUTE} minutes")
                )
            except SmsUnsent as error:
                return RefusedAnswer(StationReason.HEADQUARTERS_REFUSED, str(error))
        return answer

    def _phone(self, ref: str, ask: PhoneAsk, now_ms: int, db: sa.Connection) -> QuestionAnswer | RefusedAnswer:
        """Whether it is the code that was sent to this phone. A right one is used up by it."""
        found = self._find(db, ask.token_kind, ask.token_key, now_ms)
        if found is None and ask.token_kind is not TokenKind.PHONE:
            return _refused(Reason.CARD_UNKNOWN)
        kept = SecretsKept(db, self._desk.programmes[0] if found is None else found.ledger.programme.name)
        whose = _nobody(ask.token_key) if found is None else found.holder.id
        known = kept.code(whose)
        if known is None or now_ms >= known.until_ms or known.used_by not in {"", ref}:
            return RefusedAnswer(StationReason.PHONE_NOT_PROVEN, "no code is waiting: have a new one sent")
        right, left = try_code(known, ask.code, now_ms, ref)
        kept.keep_code(whose, left)
        return PhoneAnswer(right and found is not None)

    def _redeem(
        self, station: str, command_id: str, ask: RedeemAsk, now_ms: int, db: sa.Connection
    ) -> QuestionAnswer | RefusedAnswer:
        ref = _ref(station, command_id)
        found = self._find(db, ask.token_kind, ask.token_key, now_ms)
        if ask.points < 1:
            return _refused(Reason.INSUFFICIENT_POINTS)
        if found is None or ask.product not in PRODUCTS:
            return _refused(Reason.CARD_UNKNOWN if found is None else Reason.PRODUCT_NOT_ALLOWED)
        keeping = Keeping(db, found.ledger.programme.name)
        voided = SecretsKept(db, found.ledger.programme.name).is_voided(ref)
        if voided or keeping.line_of(_void_of(ref)) is not None:
            return RefusedAnswer(StationReason.HEADQUARTERS_REFUSED, "this redemption was given back already")
        known = keeping.answer_of(ref)
        if known is None:
            known = self._post(db, found, ref, station, ask, now_ms)
        told = _answers.decode(known)
        if told.result != "accepted":
            return _refused(_reasons.get(told.reason or "", Reason.REFUSED))
        worth = found.ledger.programme.file.programme.point_worth_minor
        return RedeemAnswer(found.ledger.programme.name, ask.points, ask.points * worth, _purses(found))

    def _post(self, db: sa.Connection, found: _Found, ref: str, station: str, ask: RedeemAsk, now_ms: int) -> bytes:
        product = next(product for product in PRODUCTS if product == ask.product)
        local = LocalTime(found.ledger.programme.zone)
        event = Redeem(
            at=at_text(local, now_ms),
            ref=ref,
            holder=found.holder.id,
            product=product,
            points=ask.points,
            proof=self._proof(db, found, ask, now_ms),
            station=station,
        )
        short = self._set_apart_elsewhere(db, found, event)
        if short:
            return short
        (entered,) = found.ledger.enter(db, [NewEvent(now_ms, event, REQUEST)], now_ms)
        return msgspec.json.encode(entered.answer)

    def _set_apart_elsewhere(self, db: sa.Connection, found: _Found, event: Redeem) -> bytes:
        """The refusal, where a voucher's points are another station's to give out. Without the PIN nothing is told."""
        voucher = found.books.vouchers.get(event.proof.voucher or "")
        if voucher is None or event.proof.driver_pin != "ok" or event.points > found.books.balance(voucher):
            return b""
        kept = Apart(db, found.ledger.programme.name)
        if event.points <= kept.usable_at(found.books, voucher, event.station or ""):
            return b""
        return msgspec.json.encode(_Kept("declined", Reason.INSUFFICIENT_POINTS))

    def _proof(self, db: sa.Connection, found: _Found, ask: RedeemAsk, now_ms: int) -> Proof:
        """What was shown, tried against what is kept. A code is used up; the engine counts wrong PINs."""
        kept = SecretsKept(db, found.ledger.programme.name)
        if ask.voucher or ask.token_kind is TokenKind.VOUCHER:
            voucher = ask.voucher or next(iter(Keeping(db, found.ledger.programme.name).names_with(ask.token_key)), "")
            voucher = voucher.removeprefix(VOUCHER)
            verifier = kept.verifier(VOUCHER + voucher)
            return Proof(voucher=voucher or None, driver_pin=_tried(verifier, ask.pin))
        right = False
        if ask.code:
            right, left = try_code(kept.code(found.holder.id), ask.code, now_ms)
            kept.keep_code(found.holder.id, left)
        return Proof(otp=right, pin=_tried(kept.verifier(f"holder:{found.holder.id}"), ask.pin))

    def _void(self, station: str, voided: str, now_ms: int, db: sa.Connection) -> QuestionAnswer | RefusedAnswer:
        """Points go back into their lots. What never came is refused from now on, in every programme."""
        ref = _ref(station, voided)
        given_back = 0
        for name in self._desk.programmes:
            ledger, keeping = self._desk.ledger(name), Keeping(db, name)
            kept = SecretsKept(db, name)
            line, answer = keeping.line_of(ref), keeping.answer_of(ref)
            if line is None or answer is None:
                kept.void(ref, now_ms)
                continue
            event = decode(line)
            if _answers.decode(answer).result != "accepted" or not isinstance(event, Redeem):
                continue
            given_back += event.points
            back = ReverseSale(at=at_text(LocalTime(ledger.programme.zone), now_ms), ref=_void_of(ref), sale=ref)
            if keeping.line_of(back.ref) is None:
                ledger.enter(db, [NewEvent(now_ms, back, REQUEST)], now_ms)
        return VoidAnswer(given_back)

    def _find(self, db: sa.Connection, kind: TokenKind, key: bytes, now_ms: int) -> _Found | None:
        """The first programme that knows the token."""
        prefix = VOUCHER if kind is TokenKind.VOUCHER else PREFIX[kind]
        for programme in self._desk.programmes:
            ledger = self._desk.ledger(programme)
            ledger.come_to(db, now_ms)
            named = [name for name in Keeping(db, programme).names_with(key) if name.startswith(prefix)]
            name = Splits(db, programme).name_at(named[0], now_ms) if named else ""
            history = ledger.at(db, name) if name else None
            holder = None if history is None else _holder(history.engine.books, name)
            if history is not None and holder is not None and holder.kind in ("person", "organisation"):
                return _Found(ledger, history, holder, named[0].removeprefix(PHONE) if prefix == PHONE else "")
        return None


def _holder(books: Books, name: str) -> Holder | None:
    """Whose token it is. A card that was lost or replaced is nobody's."""
    kind, _, value = name.partition(":")
    if kind in ("card", "qr") and (card := books.cards.get(value)) is not None:
        return None if card.blocked else card.holder
    if kind in ("qr", "holder"):
        return books.holder_of.get(value)
    if kind == "phone":
        return books.phones.get(value)
    if kind == "plate":
        return books.plates.get(value)
    voucher = books.vouchers.get(value)
    if voucher is None:
        return None
    return next((holder for holder in books.holders if voucher.purse in holder.purses.values()), None)


def _purses(found: _Found) -> tuple[PurseState, ...]:
    books = found.books
    return tuple(
        PurseState(name, books.all_points(purse), books.balance(purse))
        for name, purse in sorted(found.holder.purses.items())
    )


def _phone_of(db: sa.Connection, found: _Found, now_ms: int) -> str:
    """Where a member's codes go: to the phone that was asked for, else to theirs unless it is another's by now."""
    if found.phone:
        return found.phone
    splits = Splits(db, found.ledger.programme.name)
    return "" if splits.is_others(found.holder, now_ms) else found.holder.phone or ""


def _nobody(key: bytes) -> str:
    """In the place of a holder: a phone that nobody knows. What a code of it is, is told to nobody."""
    return f"nobody:{key.hex()}"


def _tried(verifier: str, pin: str) -> Literal["ok", "wrong"] | None:
    """A PIN that was never set is wrong, whatever is typed."""
    if not pin:
        return None
    return "ok" if verifier and verify(verifier, pin) else "wrong"


def _ref(station: str, command_id: str) -> str:
    return f"{station}//{command_id}"


def _void_of(ref: str) -> str:
    return f"{ref}/void"


def _refused(reason: Reason) -> RefusedAnswer:
    return RefusedAnswer(str(reason), str(reason))
