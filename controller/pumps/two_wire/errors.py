"""What can be wrong with bytes from a two-wire line, each under the name by which it is counted.

Knows nothing of what becomes of them: damaged words are never acted upon, and that is the link's to see to.
"""

from typing import ClassVar


class FrameError(ValueError):
    """Words that must not be acted upon. `kind` is the short name under which it is counted."""

    kind: ClassVar[str] = "bad_frame"


class BadStart(FrameError):
    """A block does not begin with its start word."""

    kind = "bad_start"


class Unfinished(FrameError):
    """The words stop before the end of a block, or of a number."""

    kind = "unfinished"


class TooLong(FrameError):
    """More words than the answer has."""

    kind = "too_long"


class BadWord(FrameError):
    """A word within a block that is neither a digit nor a control word."""

    kind = "bad_word"


class BadLength(FrameError):
    """A block has another number of words than it says, or than blocks of its kind have."""

    kind = "bad_length"


class BadLrc(FrameError):
    """The check sum is wrong."""

    kind = "bad_lrc"


class BadLayout(FrameError):
    """The check sum is right, and the words are not in the order of any known block."""

    kind = "bad_layout"


class BadDigits(FrameError):
    """A digit that is none."""

    kind = "bad_digits"


class BadStatus(FrameError):
    """A status that does not exist."""

    kind = "bad_status"


class WrongPump(FrameError):
    """Another pump's status."""

    kind = "wrong_pump"
