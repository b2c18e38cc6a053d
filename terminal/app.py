"""The terminal's application: joins keys, link and screens to the till. It holds no state but the till.

Messages come in from the link and the screens, handlers give them to the till and carry out what it returns.
"""

from collections.abc import Callable

from textual.app import App
from textual.screen import Screen

from terminal.alarms import Alarms
from terminal.effects import Back, Effect, Effects, OpenChoice, OpenEntry, OpenPaper, OpenPayment, Send, Turn
from terminal.link import URGENT, StationLink
from terminal.looks import CSS as LOOKS
from terminal.messages import CommandAnswered, CommandUnanswered, LinkLost, SnapshotArrived, TillKnown
from terminal.pad import Place
from terminal.screens.base import TillScreen
from terminal.screens.board import Board
from terminal.screens.choice import ChoiceScreen
from terminal.screens.entry import EntryScreen
from terminal.screens.paper import PaperScreen, help_text
from terminal.screens.pay import PaymentScreen
from terminal.station import Station
from terminal.steady import steady
from terminal.till import Till
from terminal.view import View
from terminal.widgets.bars import KeyButton
from terminal.widgets.tile import Tile

TICK_S = 0.25
"""How often time is looked at: for blinking, and for a picture that grows old."""


class TerminalApp(App[None]):
    """An attendant's till.

    `open_station` is called once the first frame is on the screen, and again while it raises a ClientError.
    `monotonic_ms` and `new_id` are the clock and the chance of this machine. `on_first_frame` is told that frame.
    `demonstration`: say SIMULATION from the first frame on, before the station does.
    """

    CSS = LOOKS
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        open_station: Callable[[], Station],
        *,
        monotonic_ms: Callable[[], int],
        new_id: Callable[[], str],
        on_first_frame: Callable[[], None] | None = None,
        demonstration: bool = False,
    ) -> None:
        super().__init__()
        self.title = "Forecourt"
        self._monotonic_ms = monotonic_ms
        self._on_first_frame = on_first_frame
        self._till = Till(monotonic_ms, new_id, demonstration=demonstration)
        self._alarms = Alarms()
        self._link = StationLink(open_station, self.post_message, monotonic_ms)
        self._then: Callable[[str], Effects] = lambda _typed: []
        self._shown: tuple[View, Screen[object]] | None = None

    def get_default_screen(self) -> Screen[None]:
        return Board()

    @property
    def view(self) -> View:
        """What is being shown."""
        return self._till.view(self._place)

    def on_mount(self) -> None:
        self.set_interval(TICK_S, self.tick)
        self.call_after_refresh(self._framed)

    async def on_unmount(self) -> None:
        await self._link.close()

    @steady
    def _framed(self) -> None:
        self._show()
        self.run_worker(self._link.follow(), name="follow", exit_on_error=False)
        self.run_worker(self._link.deliver(), name="deliver", exit_on_error=False)
        if self._on_first_frame is not None:
            self._on_first_frame()

    @steady
    def tick(self) -> None:
        """Look at the time: called four times a second."""
        self._carry_out(self._till.tick())
        view = self.view
        if view.snapshot is not None and not view.stale and self._alarms.due(view.snapshot, self._monotonic_ms()):
            self.bell()

    @steady
    def action_press(self, key: str) -> None:
        """A key of the pad."""
        self._carry_out(self._till.press(key, self._place))

    # From the link

    @steady
    def on_till_known(self, message: TillKnown) -> None:
        self._till.known(message.till)
        self._show()

    @steady
    def on_snapshot_arrived(self, message: SnapshotArrived) -> None:
        self._till.heard(message.snapshot, message.arrived_ms)
        self._show()

    @steady
    def on_link_lost(self, message: LinkLost) -> None:
        self._till.lost(message.text)
        self._show()

    @steady
    def on_command_answered(self, message: CommandAnswered) -> None:
        self._carry_out(self._till.answered(message.command, message.result, self._place))

    @steady
    def on_command_unanswered(self, message: CommandUnanswered) -> None:
        self._carry_out(self._till.unanswered(message.command, message.text))

    # From the screens

    @steady
    def on_key_button_pushed(self, message: KeyButton.Pushed) -> None:
        self._carry_out(self._till.press(message.key, self._place))

    @steady
    def on_tile_chosen(self, message: Tile.Chosen) -> None:
        self._till.choose(message.point)
        self._show()

    @steady
    def on_entry_screen_typed(self, message: EntryScreen.Typed) -> None:
        self._carry_out(self._then(message.value))

    @steady
    def on_entry_screen_stop_all_typed(self, message: EntryScreen.StopAllTyped) -> None:
        self._carry_out(self._till.press("f12", self._place))

    @steady
    def on_till_screen_mounted(self, message: TillScreen.Mounted) -> None:
        self._show(again=True)

    def complain(self, text: str) -> None:
        """Tell the attendant of a fault of the terminal itself."""
        self._till.complain(text)
        self._show()

    @property
    def _place(self) -> Place:
        # At the end the screens go before the last messages have come.
        screen = self.screen_stack[-1] if self.screen_stack else None
        return screen.place if isinstance(screen, TillScreen) else Place.BOARD

    def _carry_out(self, effects: Effects) -> None:
        for effect in effects if self.screen_stack else ():
            self._carry_out_one(effect)
        self._show()

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Send(command) if isinstance(command, URGENT):
                self.run_worker(self._link.send_now(command), name="stop", exit_on_error=False)
            case Send(command):
                self._link.send(command)
            case OpenPayment():
                self.push_screen(PaymentScreen())
            case OpenChoice():
                self.push_screen(ChoiceScreen())
            case OpenEntry(title, hint, then, hidden):
                self.push_screen(EntryScreen(title, hint, hidden=hidden))
                self._then = then
            case OpenPaper(title, text, help=with_help):
                self.push_screen(PaperScreen(title, help_text(text) if with_help else text))
            case Back(all=every):
                while len(self.screen_stack) > 1:
                    self.pop_screen()
                    if not every:
                        break
            case Turn(step) if isinstance(self.screen, Board):
                self.screen.turn(step)

    def _show(self, *, again: bool = False) -> None:
        if not self.screen_stack:
            return
        view = self.view
        if not again and self._shown == (view, self.screen):
            return
        self._shown = (view, self.screen)
        for screen in self.screen_stack:
            if isinstance(screen, TillScreen):
                screen.show(view)
