"""One line to type: a plate, an odometer, a PIN, a card's number. Letters are welcome here and only here."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from terminal.pad import Place
from terminal.screens.base import Dialog
from terminal.widgets.bars import Line

ENTRY_CHARS_MAX = 200
"""Longer than any code that is scanned into it."""
STOP_ALL_TYPED = "0-"
"""What stops all pumps on the keypad does so here too: no plate begins so."""


class EntryScreen(Dialog):
    """Asks for one line and posts `Typed`."""

    place = Place.TYPING

    class Typed(Message):
        """The line was ended with Enter."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    class StopAllTyped(Message):
        """`0 -` was typed."""

    def __init__(self, title: str, hint: str, *, hidden: bool = False) -> None:
        super().__init__()
        self._hidden = hidden
        self._title = title
        self._hint = hint

    def compose_panel(self) -> ComposeResult:
        with Vertical(id="entry", classes="panel"):
            yield Line(id="entry-title", classes="name")
            yield Input(id="field", max_length=ENTRY_CHARS_MAX, password=self._hidden)
            yield Line(id="entry-hint")

    def on_mount(self) -> None:
        self.query_one("#entry-title", Line).say(self._title)
        self.query_one("#entry-hint", Line).say(self._hint)
        self.query_one("#field", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value.strip() == STOP_ALL_TYPED:
            event.input.clear()
            self.post_message(self.StopAllTyped())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.post_message(self.Typed(event.value.strip()))
