"""How much time has passed along a journal, by clocks that may jump: never more than has really passed. Knows no clock.

Within one boot the monotonic clock tells it, and the wall clock may be set as anybody likes. Over a restart only the
wall clock is left: what it went forward counts, for as long as nothing shows that it was wrong.
"""

import msgspec

from controller.domain.records import Stamp
from controller.domain.seams import ClockQuality


class Elapsed(msgspec.Struct):
    """`ms`: since the first row. `doubtful_ms`: of it, what only the wall clock said, over restarts."""

    ms: int = 0
    boot: bytes = b""
    mono_ms: int = 0
    wall_ms: int = 0
    doubtful_ms: int = 0

    def take(self, stamp: Stamp) -> bool:
        """A row was written then. True if `ms` went back: what was believed over a restart was wrong."""
        forward_ms = stamp.wall_ms - self.wall_ms
        wrong_ms = 0
        if not self.boot:
            forward_ms = 0
        elif stamp.boot == self.boot and stamp.mono_ms >= self.mono_ms:
            passed_ms = stamp.mono_ms - self.mono_ms
            wrong_ms = min(max(passed_ms - forward_ms, 0), self.doubtful_ms)
            self.ms += passed_ms
        else:
            self.ms += max(forward_ms, 0)
            self.doubtful_ms += max(forward_ms, 0)
        self.ms -= wrong_ms
        self.doubtful_ms -= wrong_ms
        if stamp.quality is ClockQuality.SYNCHRONISED:
            self.doubtful_ms = 0
        self.boot, self.mono_ms, self.wall_ms = stamp.boot, stamp.mono_ms, stamp.wall_ms
        return wrong_ms > 0

    def at(self, mono_ms: int) -> int:
        """Now, in the boot of the last row."""
        return self.ms + max(mono_ms - self.mono_ms, 0)
