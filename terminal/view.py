"""All that the screens show, at one moment: made by the application, given to every screen. Frozen."""

from dataclasses import dataclass
from datetime import datetime

from controller.domain.desk import LinkView, Snapshot
from terminal.glance import MS_PER_S
from terminal.pad import EMPTY, Pad, Place
from terminal.payment import Payment


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
    demonstration: bool = False
    """It is known to be simulated before the station says so."""

    @property
    def simulated(self) -> bool:
        """Whether the banner must be seen."""
        return self.demonstration or (self.snapshot is not None and self.snapshot.simulated)


def clock_text(at_ms: int) -> str:
    """The station's moment as this machine's wall clock would show it: 21:40:07."""
    return datetime.fromtimestamp(at_ms / MS_PER_S).strftime("%H:%M:%S")


def headquarters_text(link: LinkView) -> str:
    """The link to headquarters: "HQ ● 0", or "HQ ■ 14 waiting since 21:40"."""
    if not link.configured:
        return "HQ ─"
    if link.connected:
        return f"HQ ● {link.waiting_rows}"
    since = f" since {clock_text(link.down_since_ms)[:5]}" if link.down_since_ms else ""
    return f"HQ ■ {link.waiting_rows} waiting{since}"


def link_text(view: View) -> str:
    """The link to the station, or empty while it lives: "NO LINK 12 s"."""
    return f"NO LINK {view.age_ms // MS_PER_S} s" if view.stale else ""
