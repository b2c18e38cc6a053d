"""Commands and what waits, in the attendant's words. Pure."""

from collections.abc import Iterable

from controller.domain.desk import (
    AnswerNeed,
    AskBalance,
    AskPoints,
    AuthorisePoint,
    Command,
    CommandResult,
    ExpectCard,
    ExpectShown,
    PayDelivery,
    PresentAfter,
    SendCode,
    Snapshot,
    StopAll,
    StopPoint,
)
from terminal.glance import payable
from terminal.offers import calling


def describe(command: Command) -> str:
    """A command in the attendant's words."""
    match command:
        case AuthorisePoint(point=point):
            return f"let pump {point} deliver"
        case AnswerNeed(point=point, need=need):
            return f"the {need} for pump {point}"
        case ExpectCard(point=point):
            return f"the next card at this till is for pump {point}"
        case ExpectShown():
            return "the next card at this till is for this sale"
        case StopPoint(point=point):
            return f"stop pump {point}"
        case StopAll():
            return "stop all"
        case PayDelivery():
            return "the payment"
        case AskBalance() | AskPoints():
            return "the balance"
        case PresentAfter():
            return "the card that was shown"
        case SendCode():
            return "the code for the customer's phone"
    return "the opening of a delivery"


def said(command: Command, result: CommandResult) -> str:
    """What came of a command whose result has no words of its own."""
    return f"{'Done' if result.done else result.reason or 'Not done'}: {describe(command)}"


def summary(snapshot: Snapshot) -> str:
    """What waits for an attendant, while nothing is typed."""
    to_pay = [point.number for point in snapshot.points if payable(point)]
    parts = [f"Calling: {_numbers(calling(snapshot))}" if calling(snapshot) else ""]
    parts.append(f"To pay: {_numbers(to_pay)}" if to_pay else "")
    return "    ".join(filter(None, parts)) or "A pump's number, then Enter"


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
