"""What persons of the office ask of the desk beside events and papers: rows posted again, PINs unlocked, phones split.

Only shapes; they travel as JSON.
"""

import msgspec


class ProgrammeAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """A question about one programme, by its name."""

    programme: str


class UnlockAsk(ProgrammeAsk, frozen=True, tag="unlock"):
    """Forget the wrong PINs that locked an organisation's, or a voucher's. `verifier`: of a new PIN; empty for none."""

    name: str
    by: str
    why: str
    voucher: bool = False
    verifier: str = ""


class OfficeAsk(ProgrammeAsk, frozen=True, tag="office"):
    """What persons of the office did that no event says."""


class AgainAsk(ProgrammeAsk, frozen=True, tag="again"):
    """Post rows again that could not be posted: these, each STATION/ROW, all of them or none. Each once for ever.

    With `all`: those of them that can be posted now; without any rows, of all.
    """

    rows: tuple[str, ...]
    all: bool = False


class TogetherAsk(ProgrammeAsk, frozen=True, tag="together"):
    """Who is one account, and by what. `name`: of a holder, or a card, a phone or a plate of theirs."""

    name: str


class SplitAsk(ProgrammeAsk, frozen=True, tag="split"):
    """From a day on (`since`, such as 2026-01-31) a phone is this member's, whoever gave it first."""

    phone: str
    to: str
    since: str
    by: str
    why: str


class PostedAgain(msgspec.Struct, frozen=True):
    """A row that was posted, and the events that it made."""

    row: str
    refs: tuple[str, ...]


class AgainAnswer(msgspec.Struct, frozen=True):
    posted: tuple[PostedAgain, ...]


class SharedToken(msgspec.Struct, frozen=True):
    """What several gave, a phone masked. `whose`: to whom a sale by it alone counts now; empty for nobody."""

    token: str
    holders: tuple[str, ...]
    whose: str


class TogetherAnswer(msgspec.Struct, frozen=True):
    """The holders of one account, by the time at which they came."""

    holders: tuple[str, ...]
    shared: tuple[SharedToken, ...]


class SplitAnswer(msgspec.Struct, frozen=True):
    """The phone is masked."""

    phone: str
    holder: str
    since: str


class Deed(msgspec.Struct, frozen=True):
    """What a person did. `of`: masked where it is a token; `by`, `why`: empty where it is not asked for."""

    at: str
    what: str
    of: str
    by: str = ""
    why: str = ""


class OfficeAnswer(msgspec.Struct, frozen=True):
    """In the order of their times."""

    deeds: tuple[Deed, ...]
