"""What was asked of headquarters for prepaid accounts, and is neither used nor given back. A fold over the rows.

A grant is used by the authorisation that names it. It is owed to headquarters again where no authorisation took it, or
where one ended without a delivery, by proof. A delivery's own rows end it over there. Knows no link.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from controller.domain.allotments import HEADQUARTERS_POT
from controller.domain.grant_records import GrantIntended, GrantVoided
from controller.domain.headquarters import Granted
from controller.domain.names import RowName, parse_row_name
from controller.domain.records import Authorised, Body, Delivery, Released, Unreserved


def grant_of(record: Authorised) -> RowName | None:
    """The row that asked for the money that this may take; None where it takes none of headquarters'."""
    granted, reserved = record.evidence.granted, record.reserved
    if granted is None or reserved is None or reserved.pot != HEADQUARTERS_POT:
        return None
    return granted.asked


class Grants(msgspec.Struct):
    """All open grants of a station. Change it by `apply()` only."""

    unused: dict[str, int] = {}
    """By the name of the row that asked: the fuelling point. Nobody has used them, or not any more."""
    used: dict[str, str] = {}
    """By the name of the row that authorised: the grant that it takes from."""

    @property
    def owed(self) -> list[RowName]:
        """What headquarters must hear to be nothing, the oldest first; what is being asked right now is among it."""
        return [parse_row_name(name) for name in self.unused]

    def apply(self, body: Body) -> None:
        """Take the next row."""
        match body.record:
            case GrantIntended(point):
                self.unused[body.name.text] = point
            case GrantVoided(intended):
                self.unused.pop(intended.text, None)
            case Authorised() as record if (grant := grant_of(record)) is not None:
                self.unused.pop(grant.text, None)
                self.used[body.name.text] = grant.text
            case Delivery(authorised=RowName() as authorised):
                self.used.pop(authorised.text, None)
            case Released(authorised, proven=True):
                self._unused(authorised)
            case Unreserved(authorised, spent_minor=0):
                self._unused(authorised)
            case Unreserved(authorised):
                self.used.pop(authorised.text, None)
            case _:
                pass

    def _unused(self, authorised: RowName) -> None:
        grant = self.used.pop(authorised.text, None)
        if grant is not None:
            self.unused[grant] = 0


GRANT_COMMAND = "grant/"
"""How the command ids of grants begin, so that a void of one is told from others."""


def grant_command(name: RowName) -> str:
    """The command id under which a grant is asked for."""
    return f"{GRANT_COMMAND}{name.text}"


def void_command(name: RowName) -> str:
    """The command id under which it is voided."""
    return f"void/{name.text}"


class GrantDesk(Protocol):
    """Asks headquarters for a point, and gives back what comes of it to nothing."""

    @property
    def reachable(self) -> bool:
        """Whether it makes sense to ask: headquarters is heard."""
        ...

    async def ask(self, point: int, account: str, most_minor: int, heard: Callable[[Granted], None]) -> RowName:
        """Write that it is asked, and ask. `heard` is called once, later: also when nobody answered in time.

        Then, once it is decided what to do with it, `over` must be called. JournalUnwritable: nothing was asked.
        """
        ...

    def over(self, asked: RowName) -> None:
        """It is decided: unless an authorisation on disk takes it, it goes back."""
        ...
