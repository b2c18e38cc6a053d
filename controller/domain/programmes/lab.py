"""The laboratory: events in, one answer each, through the engine that station and headquarters use.

Lines of bytes in, lines of bytes out, one after the other. Knows no file: the command reads and prints.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from controller.domain.programmes.dates import to_ms
from controller.domain.programmes.engine import Engine
from controller.domain.programmes.events import FieldError, decode, moment
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.purses import Purse

_encode = msgspec.json.Encoder().encode
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class LabError(Exception):
    """The run stops: the text names file, line and field, and says what was expected."""


class Laboratory:
    """One run. `lines` may be asked once; the books are then as after the last event."""

    def __init__(self, programme: Programme) -> None:
        self.engine = Engine(programme)

    def answers(self, lines: Iterable[bytes], where: str) -> Iterator[bytes]:
        """The answer to each line, in order. LabError at the first line that is no good event."""
        before = _LONG_AGO
        decide = self.engine.decide
        for number, given in enumerate(lines, 1):
            line = given.removeprefix(BOM_UTF8) if number == 1 else given
            if line.isspace() or not line:
                continue
            try:
                event = decode(line)
                at = moment(event.at, "at")
                if at < before:
                    raise FieldError("at", f"{event.at} is before the event above ({before.isoformat()})")
                before = at
                answer = decide(event, to_ms(at))
            except FieldError as error:
                field = f", field {error.field}" if error.field else ""
                raise LabError(f"{where}, line {number}{field}: {error}") from error
            except OverflowError as error:
                raise LabError(
                    f"{where}, line {number}: what this event moves or earns is too large to book"
                ) from error
            yield _encode(answer)

    def summary(self) -> Iterator[str]:
        """All balances, and for each commodity the sum over its accounts, which is zero."""
        books = self.engine.books
        for commodity in books.ledger.commodities():
            yield f"{commodity}"
            total = 0
            for account, balance in books.ledger.accounts(commodity):
                total += balance
                yield f"  {account:<48} {balance:>20}"
            yield f"  {'sum of the accounts':<48} {total:>20}"
        purses = [purse for holder in books.holders for purse in holder.purses.values() if purse.vouchers]
        if purses:
            yield "points with those in vouchers"
            for purse in sorted(purses, key=_name):
                yield f"  {purse.points_name:<48} {books.all_points(purse):>20}"
        yield f"postings: {books.ledger.booked}"


def _name(purse: Purse) -> str:
    return purse.points_name
