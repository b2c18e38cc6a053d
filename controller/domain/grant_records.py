"""Journal records of headquarters' grants: money of a prepaid account that was asked for, for one delivery.

    grant_intended -> authorised (which names it) -> delivery
                   -> grant_voided: nothing came of it, and headquarters has heard that

`grant_intended` is on disk before headquarters is asked, and its name (epoch, seq) is the question's: so whatever
becomes of the answer, and of this program, it is known what may be reserved over there. Only shapes.
"""

import msgspec

from controller.domain.names import RowName


class GrantIntended(msgspec.Struct, frozen=True, array_like=True, tag="grant_intended"):
    """Headquarters is about to be asked to let `account` buy, up to `most_minor` (0: as much as there is)."""

    point: int
    account: str
    most_minor: int


class GrantVoided(msgspec.Struct, frozen=True, array_like=True, tag="grant_voided"):
    """Headquarters has heard that a grant came to nothing: `given_back_minor` is free again, 0 if it gave nothing."""

    intended: RowName
    given_back_minor: int
