"""All that the screens show, at one moment: made by the application, given to every screen. Frozen."""

import functools
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controller.domain.desk import LinkView, Snapshot
from terminal.glance import MS_PER_S
from terminal.pad import EMPTY, Pad, Place
from terminal.payment import Payment
from terminal.questions import Choosing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the last thing that was asked for."""

    text: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """`age_ms`: how old the snapshot is, or how long there has been none. `offer`: what Enter would do."""

    snapshot: Snapshot | None
    age_ms: int
    stale: bool
    lit: bool
    till: str
    link_text: str
    place: Place
    pad: Pad = EMPTY
    offer: str = ""
    outcome: Outcome = Outcome()
    payment: Payment | None = None
    choosing: Choosing | None = None
    demonstration: bool = False
    """It is known to be simulated before the station says so."""

    @property
    def simulated(self) -> bool:
        """Whether the banner must be seen."""
        return self.demonstration or (self.snapshot is not None and self.snapshot.simulated)


def clock_text(at_ms: int, time_zone: str = "") -> str:
    """A moment as the station's clock on the wall shows it, or this machine's where none is named: 21:40:07."""
    return datetime.fromtimestamp(at_ms // MS_PER_S, _zone(time_zone)).strftime("%H:%M:%S")


@functools.cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # this machine does not know the zone: its own clock is nearer than none


def headquarters_text(link: LinkView, time_zone: str = "") -> str:
    """The link to headquarters: "HQ ● 0", or "HQ ■ 14 waiting since 21:40"."""
    if not link.configured:
        return "HQ ─"
    if link.connected:
        return f"HQ ● {link.waiting_rows}"
    since = f" since {clock_text(link.down_since_ms, time_zone)[:5]}" if link.down_since_ms else ""
    return f"HQ ■ {link.waiting_rows} waiting{since}"


def link_text(view: View) -> str:
    """The link to the station, or empty while it lives: "NO LINK 12 s"."""
    return f"NO LINK {view.age_ms // MS_PER_S} s" if view.stale else ""
