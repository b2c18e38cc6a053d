"""Which fuel: the grades of a pump that does not say which nozzle is lifted, each by its number."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click

from terminal.pad import Place
from terminal.questions import Choosing
from terminal.screens.base import Dialog
from terminal.view import View
from terminal.widgets.bars import KeyButton, Line

LINES = 6
"""No pump that asks has more."""
NAME_COLUMNS = 24


class ChoiceLine(Line):
    """One fuel. A click types its number."""

    def __init__(self, place: int) -> None:
        super().__init__(id=f"choice-{place}", classes="choice")
        self.nozzle = 0

    def on_click(self, event: Click) -> None:
        event.stop()
        if self.nozzle:
            self.post_message(KeyButton.Pushed(str(self.nozzle)))


class ChoiceScreen(Dialog):
    """Shows the view's choices."""

    place = Place.CHOOSING

    def compose_panel(self) -> ComposeResult:
        with Vertical(id="choices", classes="panel"):
            yield Line(id="choice-title", classes="name")
            for place in range(LINES):
                yield ChoiceLine(place)
            yield Line(id="choice-hint", classes="name")

    def show(self, view: View) -> None:
        super().show(view)
        if view.choosing is None or not self.query("#choice-hint"):
            return
        choosing = view.choosing
        self.query_one("#choice-title", Line).say(f"PUMP {choosing.offer.point}: WHICH FUEL?")
        for place, line in enumerate(self.query(ChoiceLine)):
            _show(line, choosing, place, view.pad.value)
        self.query_one("#choice-hint", Line).say("Its number, then Enter    Esc: back")


def _show(line: ChoiceLine, choosing: Choosing, place: int, typed: str) -> None:
    line.display = place < len(choosing.choices)
    if line.display:
        choice = choosing.choices[place]
        line.nozzle = choice.nozzle
        chosen = typed == str(choice.nozzle)
        line.set_class(chosen, "-chosen")
        line.say(f"{'▶' if chosen else ' '} {choice.nozzle}  {choice.name:<{NAME_COLUMNS}} {choice.price}")
