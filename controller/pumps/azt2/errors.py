"""What can be wrong with bytes from an AZT line, each under the name by which it is counted.

Knows nothing of what becomes of them: what is damaged is never acted upon, and that is the link's to see to.
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


class EighthBit(FrameError):
    """A byte above 7F: the line carries seven bits, so this is none of its bytes."""

    kind = "eighth_bit"


class BadStart(FrameError):
    """Not 7F and one of the start bytes, or an address that is no channel's."""

    kind = "bad_start"


class BadComplement(FrameError):
    """A byte and its complement do not go together."""

    kind = "bad_complement"


class BadSum(FrameError):
    """The check sum is wrong."""

    kind = "bad_sum"


class BadReply(FrameError):
    """The frame is good, and it is no answer to what was asked."""

    kind = "bad_reply"


class Ambiguous(FrameError):
    """Several good frames where one was due, and they do not say the same; or something follows a good one."""

    kind = "ambiguous"
