"""The pumps: a page of tiles, and below them what is wrong, what Enter would do and what came of the last thing."""

from math import ceil

from textual.app import ComposeResult
from textual.containers import Container

from controller.domain.desk import PointState, PointView
from terminal.glance import glance, payable
from terminal.pad import Place
from terminal.screens.base import TillScreen
from terminal.view import View
from terminal.widgets.bars import Banner, Head, KeyBar, Line, Result, Status, Troubles
from terminal.widgets.tile import Tile

TILE_COLUMNS_MIN = 19
"""Seven large figures and a point: 1234.50."""
TILE_ROWS_MIN = 7
"""Head, figures, volume, grade and one note."""
ACROSS_MIN, ACROSS_MAX, DOWN_MAX = 4, 8, 4
"""8 x 4 tiles at most: more cannot be taken in at one look."""


class Board(TillScreen):
    """Shows one page of fuelling points."""

    place = Place.BOARD

    def __init__(self) -> None:
        super().__init__()
        self._page = 0
        self._view: View | None = None

    def compose(self) -> ComposeResult:
        yield Banner()
        yield Head()
        yield Container(id="tiles")
        yield Line(id="elsewhere")
        yield Troubles()
        yield Status()
        yield Result()
        yield KeyBar(self.place)

    def on_resize(self) -> None:
        # The tiles' room is known only after the layout that follows.
        self.call_after_refresh(self._again)

    def turn(self, step: int) -> None:
        """Go `step` pages on, round and round."""
        self._page += step
        self._again()

    def show(self, view: View) -> None:
        super().show(view)
        self._view = view
        for troubles in self.query(Troubles):
            troubles.show(view)
        for status in self.query(Status):
            status.show(view)
        self._show_tiles(view)

    def _again(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def _show_tiles(self, view: View) -> None:
        room = next(iter(self.query("#tiles").results(Container)), None)
        if room is None or view.snapshot is None:
            return  # a screen is shown things before it is composed, on a slow machine even after it was mounted
        points = view.snapshot.points
        across, down = self._fit(len(points), room)
        pages = max(1, ceil(len(points) / (across * down)))
        self._page %= pages
        first = self._page * across * down
        here = points[first : first + across * down]
        room.styles.grid_size_columns = across
        room.styles.grid_size_rows = down
        tiles = list(room.query(Tile))
        if missing := across * down - len(tiles):
            new = [Tile() for _ in range(missing)]
            tiles += new
            if new:
                room.mount_all(new)
        for index, tile in enumerate(tiles):
            tile.display = index < len(here)
            if index < len(here):
                tile.show(
                    glance(here[index], view.snapshot.decimals, view.snapshot.at_ms), lit=view.lit, stale=view.stale
                )
        elsewhere = self.query_one("#elsewhere", Line)
        elsewhere.display = pages > 1
        elsewhere.say(self._elsewhere(points, here, pages))

    def _fit(self, count: int, room: Container) -> tuple[int, int]:
        width, height = self.size.width, room.size.height
        down = max(1, min(DOWN_MAX, height // TILE_ROWS_MIN))
        most = max(1, min(ACROSS_MAX, (width + 1) // (TILE_COLUMNS_MIN + 1)))
        across = min(most, max(ACROSS_MIN, ceil(count / down)))
        return across, max(1, min(down, ceil(count / across)))

    def _elsewhere(self, points: tuple[PointView, ...], here: tuple[PointView, ...], pages: int) -> str:
        text = f" Page {self._page + 1} of {pages}   + turns"
        others = [point for point in points if point not in here]
        for word, numbers in (
            ("▲ calling", [p.number for p in others if p.state is PointState.CALLING]),
            ("■ to pay", [p.number for p in others if payable(p)]),
            ("■ stopped", [p.number for p in others if p.state is PointState.STOPPED]),
        ):
            if numbers:
                text += f"   {word}: {', '.join(map(str, numbers))}"
        return text
