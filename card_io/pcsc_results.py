"""What PC/SC's results mean, as errors of ours; and the reader that a name means. Knows no pyscard.

As seen with pcsc-lite 1.9: pcscd gone is 80100013 and then 8010001D; a card torn out in mid-command is 80100016 or
success without an answer; a swap under an open handle is 80100069. A pcscd that comes up under load was seen to answer
8010006A once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from card_io import errors

CANCELLED = 0x80100002
TIMEOUT = 0x8010000A
NO_READERS = 0x8010002E

_RESULTS: dict[int, tuple[type[errors.CardError], str]] = {
    0x8010001D: (errors.ServiceDown, "the PC/SC service does not run"),
    0x8010001E: (errors.ServiceDown, "the PC/SC service stopped"),
    0x80100013: (errors.ServiceDown, "the PC/SC service broke off"),
    0x80100003: (errors.ServiceDown, "the PC/SC service was restarted"),
    0x80100001: (errors.ServiceDown, "the PC/SC service failed within"),
    0x80100002: (errors.ServiceDown, "the PC/SC service broke off"),
    0x80100006: (errors.ServiceDown, "the PC/SC service has no memory"),
    0x80100014: (errors.ServiceDown, "the PC/SC service failed"),
    0x8010006A: (errors.ReaderDenied, "the PC/SC service denies access"),
    0x80100009: (errors.ReaderGone, "the reader is gone"),
    0x80100017: (errors.ReaderGone, "the reader does not answer"),
    0x8010002E: (errors.ReaderGone, "no card reader is connected"),
    0x8010000B: (errors.SharingViolation, "another program holds the card"),
    0x80100068: (errors.CardReset, "another program reset the card"),
    0x8010000A: (errors.CardSilent, "the card did not answer in time"),
    0x80100066: (errors.CardSilent, "the card does not answer"),
    0x8010000C: (errors.CardRemoved, "the card was taken away too early"),
    0x80100016: (errors.CardRemoved, "the card was taken away too early"),
    0x80100067: (errors.CardRemoved, "the card lost its power"),
    0x80100069: (errors.CardRemoved, "the card was taken away too early"),
}


def check(result: int) -> None:
    """Raises a CardError unless `result` is success."""
    code = result & 0xFFFFFFFF  # pyscard gives it signed
    if code == 0:
        return
    error, what = _RESULTS.get(code, (errors.GarbledAnswer, "the reader failed"))
    raise error(f"{what} (PC/SC {code:08X})")


def only_one(pattern: str, names: Sequence[str]) -> str:
    """The reader whose name the pattern fits. Raises ReaderGone for none and for several.

    The order of readers changes from start to start, so there is no "first" one.
    """
    found = [name for name in names if re.search(pattern, name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(names)) or "none"
    how_many = "no reader fits" if not found else f"{len(found)} readers fit"
    raise errors.ReaderGone(f"{how_many} the name {pattern!r}; there are: {there}")
