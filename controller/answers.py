"""What is asked of people before a decision, and what they answer: words into a request. Knows no pump and no tile."""

from dataclasses import dataclass, replace

from controller.domain.decide import Request
from controller.domain.desk import AnswerNeed, AuthorisePoint, Need
from controller.domain.pins import TRIES, PinAnswer
from controller.domain.reasons import Reason
from controller.domain.records import PinLocked, PinTried, Record
from controller.domain.tokens import fold_plate
from controller.site import Site

QUESTIONS = {
    Need.PLATE: "Which plate does the vehicle have?",
    Need.ODOMETER: "What does the odometer say?",
    Need.PIN: "The driver types the PIN",
    Need.CODE: "Which code does the driver have?",
}
ODOMETER_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that waits for an answer, and the command that began it, if one did. For cash there is no request."""

    request: Request | None
    need: Need
    wanted: AuthorisePoint | None


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
    """The request with a plate, an odometer or a driver's code; the reason if that cannot be one."""
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
        case Need.CODE:
            try:
                return replace(request, driver_key=site.driver(command.value))
            except ValueError:
                return Reason.DRIVER_UNKNOWN
        case Need.GRADE | Need.PIN | Need.HEADQUARTERS:
            return Reason.NOTHING_TO_ANSWER


async def with_pin(site: Site, request: Request, typed: str) -> Request:
    """The request with what came of a PIN that was typed. What is to be counted is on disk before anybody is told.

    JournalUnwritable if the disk refuses. A list that has no PIN for this token any more leaves the request as it was.
    """
    token = request.token
    async with site.trying:
        row = site.lists.look_up(token.key).row
        if row is None or not row.pin:
            return request
        before = site.books.usage.pins.wrong(token.key, row.pin_version)
        if before >= TRIES:
            return request
        try:
            right = await site.pins.verify(row.pin, typed)
        except ValueError:
            return request  # a newer list's verifier cannot be read: the decision that follows says so
        rows: list[Record] = []
        if right:
            rows += [PinTried(token, row.pin_version, right=True, wrong=0)] if before else []
        else:
            rows.append(PinTried(token, row.pin_version, right=False, wrong=before + 1))
            rows += [PinLocked(token, row.pin_version)] if before + 1 >= TRIES else []
        if rows:
            await site.write(*rows)
    return replace(request, pin=PinAnswer.RIGHT if right else PinAnswer.WRONG)
