"""A driver at a pump's keypad: what the point asks and says is shown there, and what is typed answers it.

The keypad asks beside the terminal, whoever answers first counts, and the question goes from both. A driver who
cancels, or types nothing for a minute, ends the question: the card must be shown again. Without the keypad the terminal
goes on as ever. Knows no protocol of a keypad, and not who may fuel.
"""

import contextlib

from controller.deciding.answers import Pending
from controller.domain import keypad_screens
from controller.domain.desk import AnswerNeed, Need
from controller.domain.keypad_words import CANCEL, CLEAR, ENTER, Echo, Screen
from controller.domain.reasons import Reason
from controller.domain.seams import US_PER_S, Timer
from controller.keypads.keypads import Keypad, KeypadDown, KeypadUp, KeyPressed
from controller.points.point import FuellingPoint
from controller.site import Site

ANSWER_S = 60
"""A driver who has pressed nothing for so long has gone, or does not know it: whoever comes next must not answer."""
NOBODY = ""
"""The till of an answer that came from none."""


class KeypadDesk:
    """The keypad of one fuelling point. `resting`: what it shows while nobody is there."""

    def __init__(self, site: Site, point: FuellingPoint, keypad: Keypad, *, resting: str) -> None:
        self._site = site
        self._point = point
        self._keypad = keypad
        self._resting = resting
        self._where = f"keypad of point {point.number}"
        self._up = False
        self._asked: Pending | None = None
        """What is asked now, here and at the tills."""
        self._answering: Pending | None = None
        """What was answered or cancelled here, once: the point has not said yet what came of it."""
        self._typed = ""
        """Never in a log, a record or an error."""
        self._shown: Screen | None = None
        self._timer: Timer | None = None

    async def run(self) -> None:
        """Until cancelled."""
        self._site.on_change(self._look)
        self._look()
        try:
            async with contextlib.aclosing(self._keypad.events()) as events:
                async for event in events:
                    match event:
                        case KeypadUp():
                            self._up = True
                            self._site.trouble(self._where, None)
                            self._begin()
                        case KeypadDown(text):
                            self._up = False
                            self._begin()
                            self._site.trouble(self._where, text)
                        case KeyPressed(key):
                            await self._pressed(key)
        finally:
            self._watch_no_more()

    # ---- inside

    def _look(self) -> None:
        """Something has changed at the station: show it, if it is to be seen here."""
        question = self._point.question
        if question is not self._asked:
            self._asked = question
            self._show()
        elif self._screen() != self._shown:
            self._show()

    def _show(self) -> None:
        self._shown = self._screen()
        self._keypad.show(self._shown)
        self._begin()

    def _begin(self) -> None:
        """Nothing is typed yet, and there is time to."""
        self._typed = ""
        self._watch()

    def _screen(self) -> Screen:
        asked, display = self._asked, self._point.display
        if asked is None:
            return keypad_screens.screen(display.state, display.reason, token=display.token, resting=self._resting)
        if asked is self._answering:
            return keypad_screens.WAIT
        return keypad_screens.question(asked.need, again=asked.again, choices=self._point.choices)

    async def _pressed(self, key: str) -> None:
        asked, shown = self._asked, self._shown
        if asked is None or shown is None or shown.echo is Echo.NONE:
            return
        if key == ENTER and self._typed:
            await self._answer(asked)
        elif key == ENTER:
            self._show()  # a keypad takes nothing more after Enter, until it is shown something
        elif key == CANCEL:
            self._point.unanswered(asked, Reason.DRIVER_CANCELLED)
            self._answering = asked
            self._look()
        elif key == CLEAR:
            self._begin()
        else:
            self._typed = (self._typed + key)[: shown.most]
            self._watch()

    async def _answer(self, asked: Pending) -> None:
        typed, self._typed = self._typed, ""
        self._answering = asked
        self._look()
        try:
            said = AnswerNeed("", self._point.number, asked.need, self._meant(asked, typed), asked.id)
            await self._point.command(said, NOBODY)
        finally:
            self._answering = None
        self._look()  # what came of it stands on the point's display; or it is asked the same again

    def _meant(self, asked: Pending, typed: str) -> str:
        """The number of a fuel as its code, as at the tills: some grade's code may be another's number."""
        if asked.need is not Need.GRADE:
            return typed
        choices = self._point.choices
        named = [choice.grade for choice in choices if str(choice.nozzle) == typed]
        alike = sum(choice.grade in named for choice in choices) > 1
        return typed if alike or not named else named[0]

    def _watch(self) -> None:
        """A question that can be answered here, and is not, ends."""
        self._watch_no_more()
        asked, shown = self._asked, self._shown
        if asked is None or shown is None or shown.echo is Echo.NONE or not self._up:
            return

        def gone() -> None:
            self._point.unanswered(asked, Reason.NOT_ANSWERED)

        self._timer = self._site.clock.call_at(self._site.clock.now().mono_us + ANSWER_S * US_PER_S, gone)

    def _watch_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
