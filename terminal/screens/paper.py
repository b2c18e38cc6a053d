"""Something to read: the help, a receipt, a balance. Any digit goes back to the pumps and counts there."""

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from terminal.actions import ACTIONS, FLOWS
from terminal.pad import Place
from terminal.screens.base import Dialog
from terminal.widgets.bars import Line

CAP_COLUMNS = 19
"""Room for the longest row of keys in the help."""


class PaperScreen(Dialog):
    """Shows a text under a title."""

    place = Place.READING

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose_panel(self) -> ComposeResult:
        with Vertical(classes="panel paper"):
            yield Line(id="paper-title", classes="name")
            with VerticalScroll(can_focus=False):
                yield Line(id="paper-text")

    def on_mount(self) -> None:
        self.query_one("#paper-title", Line).say(self._title)
        self.query_one("#paper-text", Line).say(self._text)


def help_text(now: str) -> str:
    """The help, made from the list of actions. `now` is what can be done this moment."""
    lines = [f"Now: {now}", ""] if now else []
    lines += [f"{keys:<{CAP_COLUMNS}}{text}" for keys, text in FLOWS]
    said = [action for action in ACTIONS if action.help and action.cap != "Enter"]
    lines += [f"{action.cap:<{CAP_COLUMNS}}{action.help}" for action in said]
    return "\n".join(lines)
