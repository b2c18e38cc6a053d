"""The tile of one fuelling point. Draws lines it keeps and repaints only those that changed.

A widget of its own with `render_line`: with reactive attributes or labels sixteen live pumps take half a core.
"""

from rich.segment import Segment
from textual.events import Click, Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from terminal.glance import Glance
from terminal.widgets.colours import BODIES, FIGURES, HEADS
from terminal.widgets.face import Part, Row, face


class Tile(Widget):
    """Shows what it was last told by `show`."""

    class Chosen(Message):
        """The tile was clicked: as if its number had been typed."""

        def __init__(self, point: int) -> None:
            super().__init__()
            self.point = point

    def __init__(self) -> None:
        super().__init__()
        self._glance: Glance | None = None
        self._lit = True
        self._stale = False
        self._rows: tuple[Row, ...] = ()
        self.repaints = 0
        """How many rows were asked to be painted again, for measuring."""

    @property
    def text(self) -> str:
        """The tile as plain text."""
        return "\n".join(row.text for row in self._rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows as they are shown."""
        return self._rows

    def show(self, glance: Glance, *, lit: bool, stale: bool) -> None:
        """Show `glance`; rows that stay the same are not painted again."""
        if (glance, lit, stale) == (self._glance, self._lit, self._stale) and self._rows:
            return
        self._glance, self._lit, self._stale = glance, lit, stale
        self._lay_out()

    def on_resize(self, event: Resize) -> None:
        self._lay_out()

    def on_click(self, event: Click) -> None:
        if self._glance is not None:
            self.post_message(self.Chosen(self._glance.number))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._rows):
            return Strip.blank(self.size.width)
        row = self._rows[y]
        style = {
            Part.HEAD: HEADS[row.mood][0 if row.lit else 1],
            Part.FIGURES: FIGURES[row.mood],
            Part.BODY: BODIES[row.mood],
        }[row.part]
        return Strip([Segment(row.text, style)], len(row.text))

    def _lay_out(self) -> None:
        width, height = self.size
        if self._glance is None or not (width and height):
            return
        before = self._rows
        self._rows = face(self._glance, width, height, lit=self._lit, stale=self._stale)
        changed = [y for y, row in enumerate(self._rows) if y >= len(before) or before[y] != row]
        self.repaints += len(changed)
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))
