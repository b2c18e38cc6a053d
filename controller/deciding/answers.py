"""What is asked of people before a decision, and what they answer: words into a request. Knows no pump and no tile."""

from dataclasses import dataclass, replace

from controller.deciding.facts import pin_wrong, pins_on_card
from controller.domain.decide import Request
from controller.domain.desk import AnswerNeed, AuthorisePoint, Need
from controller.domain.pin_records import CodeLocked, CodeTried, PinLocked, PinTried
from controller.domain.pins import TRIES, PinAnswer, PinAsked, pin_asked
from controller.domain.reasons import Reason
from controller.domain.records import Record
from controller.domain.tokens import TokenRef, fold_plate
from controller.site import Site

QUESTIONS = {
    Need.PLATE: "Which plate does the vehicle have?",
    Need.ODOMETER: "What does the odometer say?",
    Need.PIN: "The driver types the PIN",
    Need.CODE: "Which code does the driver have?",
    Need.PHONE_CODE: "Which code was sent to the driver's phone?",
    Need.HEADQUARTERS: "Headquarters is asked",
}
ODOMETER_DIGITS = 7


class QuestionIds:
    """Ids for what is asked at or for one point. None comes twice, after a restart or of a restored disk either."""

    def __init__(self, site: Site, number: int) -> None:
        self._site = site
        self._number = number
        self._count = 0

    def next(self) -> str:
        """Another one."""
        self._count += 1
        return f"point-{self._number}/{self._site.epoch}/{self._count}"


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that waits for an answer, and the command that began it, if one did. For cash there is no request.

    `id`: of the question, which its answer must name; what is asked again is another question.
    `again`: what was answered before was wrong. `till`, `command_id`: of that command, where headquarters is asked;
    `till` for cash, too.
    """

    id: str
    request: Request | None
    need: Need
    wanted: AuthorisePoint | None
    again: bool = False
    till: str = ""
    command_id: str = ""

    def refuses(self, command: AnswerNeed) -> Reason | None:
        """Why this is no answer to it."""
        if command.question not in {self.id, ""}:
            return Reason.QUESTION_GONE
        if command.need is not self.need:
            return Reason.NOTHING_TO_ANSWER
        return None if command.question else Reason.QUESTION_NOT_NAMED

    def is_asked_for(self, token: TokenRef) -> bool:
        """Headquarters is being asked for this very token."""
        return self.need is Need.HEADQUARTERS and self.request is not None and self.request.token == token


def told_before(request: Request, before: Request | None) -> Request:
    """The request, with the answers of the one before it, if the same token is shown again to the same nozzle."""
    if before is None or before.token != request.token:
        return request
    return replace(
        request,
        plate_key=before.plate_key,
        odometer_km=before.odometer_km,
        pin=before.pin,
        driver_key=before.driver_key,
    )


def answered(site: Site, request: Request, command: AnswerNeed) -> Request | Reason:
    """The request with a plate or an odometer; the reason if that cannot be one."""
    match command.need:
        case Need.PLATE:
            try:
                fold_plate(command.value)
            except ValueError:
                return Reason.PLATE_MISMATCH
            return replace(request, plate_key=site.plate(command.value).key)
        case Need.ODOMETER:
            digits = command.value.strip()
            if not (digits.isascii() and digits.isdecimal() and len(digits) <= ODOMETER_DIGITS):
                return Reason.ODOMETER_IMPLAUSIBLE
            return replace(request, odometer_km=int(digits))
        case Need.GRADE | Need.PIN | Need.CODE | Need.PHONE_CODE | Need.HEADQUARTERS:
            return Reason.NOTHING_TO_ANSWER


async def tried(site: Site, request: Request, command: AnswerNeed) -> Request | Reason:
    """The request with a PIN or a driver's code that was typed, whose wrong tries are counted; the reason if it cannot
    be one. JournalUnwritable if the disk refuses."""
    if command.need is Need.PIN:
        return await with_pin(site, request, command.value)
    try:
        driver_key = site.driver(command.value)
    except ValueError:
        return Reason.DRIVER_UNKNOWN
    return await with_code(site, request, driver_key)


async def with_code(site: Site, request: Request, driver_key: bytes) -> Request:
    """The request with a driver's code. What is to be counted is on disk before anybody is told."""
    token = request.token
    async with site.trying:
        row = site.lists.look_up(token.key).row
        before = site.books.usage.driver_codes.wrong(token.key, row.pin_version) if row else 0
        if row is not None and row.drivers and before < TRIES:
            right = driver_key in row.drivers
            wrong = 0 if right else before + 1
            rows: list[Record] = []
            if wrong or before:
                rows.append(CodeTried(token, row.pin_version, right=right, wrong=wrong))
                rows += [CodeLocked(token, row.pin_version)] if wrong >= TRIES else []
                await site.write(*rows)
    return replace(request, driver_key=driver_key)


async def with_pin(site: Site, request: Request, typed: str) -> Request:
    """The request with what came of a PIN that was typed. What is to be counted is on disk before anybody is told.

    JournalUnwritable if the disk refuses. A list that has no PIN for this token any more leaves the request as it was.
    """
    token = request.token
    async with site.trying:
        found = site.lists.look_up(token.key)
        row = found.row
        if row is None or pin_asked(row.pin, on_card=found.pin_on_card) in {PinAsked.NO, PinAsked.UNREADABLE}:
            return request  # a newer list has none, or none that can be read: the decision that follows says so
        on_card, before = pins_on_card(site, token, found), pin_wrong(site, token, found)
        if before >= TRIES:
            return request
        try:
            right = await site.pins.verify(row.pin, typed)
        except ValueError:
            return request  # what the card has of its own cannot be read
        rows: list[Record] = []
        wrong = 0 if right else before + 1
        if wrong or before or on_card:
            rows.append(PinTried(token, row.pin_version, right=right, wrong=wrong, on_card=on_card))
            rows += [PinLocked(token, row.pin_version)] if wrong >= TRIES else []
        bodies = await site.write(*rows) if rows else ()
    if bodies and found.pin_on_card:
        await site.note_pin(token, wrong, bodies[0].name)
    return replace(request, pin=PinAnswer.RIGHT if right else PinAnswer.WRONG)
