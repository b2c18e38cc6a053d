"""The lines around the pumps: banner, head, troubles, status, buttons. Each shows what it is given."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Static

from terminal.actions import Action, buttons
from terminal.pad import Place
from terminal.view import Outcome, View, clock_text, headquarters_text, link_text


class Line(Static):
    """One line of text that paints only when its text changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self.shown = ""

    def say(self, text: str) -> None:
        """Show `text` as it is, without markup."""
        if text != self.shown:
            self.shown = text
            self.update(Content(text))


class Banner(Line):
    """SIMULATION, on every screen of a simulated station."""

    def show(self, view: View) -> None:
        self.display = view.simulated
        self.say("SIMULATION ── no real pumps, no real money ── SIMULATION" if view.simulated else "")


class Head(Horizontal):
    """Station, till, headquarters and the station's clock."""

    def compose(self) -> ComposeResult:
        yield Line(id="station")
        yield Line(id="link")
        yield Line(id="headquarters")
        yield Line(id="clock")

    def show(self, view: View) -> None:
        snapshot = view.snapshot
        name = snapshot.station_name if snapshot else "Forecourt"
        self.query_one("#station", Line).say(f" {name}  ·  {view.till}" if view.till else f" {name}")
        link = self.query_one("#link", Line)
        link.display = view.stale
        link.say(f" {link_text(view)} ")
        headquarters = self.query_one("#headquarters", Line)
        headquarters.say(headquarters_text(snapshot.link, snapshot.time_zone) if snapshot else "")
        down = snapshot is not None and snapshot.link.configured and not snapshot.link.connected
        headquarters.set_class(down, "-down")
        self.query_one("#clock", Line).say(
            f"{clock_text(snapshot.at_ms, snapshot.time_zone)} " if snapshot else "--:--:-- "
        )


class Troubles(Line):
    """What wants a person: the first trouble, and how many more there are. Hidden when all is well."""

    def show(self, view: View) -> None:
        texts = [view.link_text] if view.link_text and (view.stale or view.snapshot is None) else []
        if view.snapshot:
            texts += [f"{trouble.where}: {trouble.text}" for trouble in view.snapshot.troubles]
        more = f"   (+{len(texts) - 1} more)" if len(texts) > 1 else ""
        self.display = bool(texts)
        self.say(f" ▲ {texts[0]}{more}" if texts else "")


class Status(Horizontal):
    """What is typed, and what Enter would do."""

    def compose(self) -> ComposeResult:
        yield Line(id="echo")
        yield Line(id="offer")

    def show(self, view: View) -> None:
        echo = self.query_one("#echo", Line)
        echo.say(f" {view.pad.echo}▏")
        self.query_one("#offer", Line).say(f" {view.offer}")


class Result(Line):
    """What came of the last thing that was asked for."""

    def show(self, outcome: Outcome) -> None:
        self.set_class(outcome.bad, "-bad")
        self.say(f" {'✗ ' if outcome.bad else '✓ '}{outcome.text}" if outcome.text else "")


class KeyButton(Static):
    """An F-key that can be clicked. Never has the focus, so that Enter is never its."""

    class Pushed(Message):
        """The button of this pad key was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, action: Action) -> None:
        cap = Content.styled(action.cap, "bold")
        super().__init__(Content.assemble(cap, " ", action.label), id=f"key-{action.press}")
        self._key = action.press

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Pushed(self._key))


class KeyBar(Vertical):
    """The buttons of a place, in a row or two."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._actions: Iterable[Action] = buttons(place)

    def compose(self) -> ComposeResult:
        for above in (True, False):
            row = [action for action in self._actions if action.above is above]
            if row:
                with Horizontal(classes="keys"):
                    yield from map(KeyButton, row)
