"""What every screen of the till has: the banner of a simulation, and `show`."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen, Screen

from terminal.actions import ACTIONS, PAD_KEYS
from terminal.pad import Place
from terminal.view import View
from terminal.widgets.bars import Banner, Head, KeyBar, Result


def _bindings() -> list[BindingType]:
    presses = PAD_KEYS | {action.key: action.press for action in ACTIONS}
    first = {action.key for action in ACTIONS} - set(PAD_KEYS)
    return [Binding(key, f"app.press('{name}')", show=False, priority=key in first) for key, name in presses.items()]


class TillScreen(Screen[None]):
    """A whole screen. `show` is called with each new view."""

    # Here and not on the application: a dialog hides the application's own keys.
    BINDINGS: ClassVar[list[BindingType]] = _bindings()

    place = Place.READING

    class Mounted(Message):
        """This screen has all its parts now and wants to be shown the view."""

    def on_mount(self) -> None:
        self.call_after_refresh(self.post_message, self.Mounted())

    def show(self, view: View) -> None:
        """Show this view. Called again and again, mostly with little changed."""
        for banner in self.query(Banner):
            banner.show(view)
        for head in self.query(Head):
            head.show(view)
        for result in self.query(Result):
            result.show(view.outcome)


class Dialog(TillScreen, ModalScreen[None]):
    """A panel over the pumps, with its own banner, head, result and buttons around it."""

    def compose(self) -> ComposeResult:
        yield Banner()
        yield Head()
        yield from self.compose_panel()
        yield Result()
        yield KeyBar(self.place)

    def compose_panel(self) -> ComposeResult:
        """The panel in the middle."""
        raise NotImplementedError
