"""What can be wrong with bytes from a DART line, each under the name by which it is counted.

Knows nothing of what becomes of them: a damaged frame is never answered, and that is the link's to see to.
"""

from typing import ClassVar


class FrameError(ValueError):
    """A frame that must not be acted upon. `kind` is the short name under which it is counted."""

    kind: ClassVar[str] = "bad_frame"


class Unfinished(FrameError):
    """The bytes stop before the end of a frame."""

    kind = "unfinished"


class TooLong(FrameError):
    """More bytes than any frame has."""

    kind = "too_long"


class BadAddress(FrameError):
    """The first byte is no pump's address."""

    kind = "bad_address"


class BadControl(FrameError):
    """The second byte is no control byte, or does not go with the frame's length."""

    kind = "bad_control"


class BadEnd(FrameError):
    """A data frame without ETX."""

    kind = "bad_end"


class BadCrc(FrameError):
    """The check sum is wrong."""

    kind = "bad_crc"


class BadBlock(FrameError):
    """The check sum is right, and the lengths of the transactions do not add up."""

    kind = "bad_block"


class BadDigits(FrameError):
    """A number that is not packed decimal."""

    kind = "bad_digits"
