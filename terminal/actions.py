"""The one list of what a till can do. Key bindings, buttons and the help are all made from it.

Letters are never keys: under a Ukrainian or Turkish layout they do not arrive.
"""

from dataclasses import dataclass

from terminal.pad import Place

ALL = frozenset(Place)
BOARD = frozenset({Place.BOARD})
PAYMENT = frozenset({Place.PAYMENT})
CHOOSING = frozenset({Place.CHOOSING})


@dataclass(frozen=True, slots=True)
class Action:
    """`key` is Textual's name, `press` the pad's, `cap` what stands on the key. `label` empty: it has no button.

    `help` empty: another line of the help says it.
    """

    key: str
    press: str
    cap: str
    label: str
    help: str
    places: frozenset[Place]
    above: bool = False
    """In a row of its own, above the other buttons: there are too many for one."""


ACTIONS: tuple[Action, ...] = (
    Action("f1", "f1", "F1", "Help", "What can be done now; 4 F1 asks for pump 4", BOARD | PAYMENT | CHOOSING),
    Action(
        "enter", "enter", "Enter", "Cash", "Cash: Enter takes the exact amount, 500 Enter shows the change", PAYMENT
    ),
    Action("enter", "enter", "Enter", "Choose", "The fuel whose number is typed", CHOOSING),
    Action("f2", "f2", "F2", "Bank card", "Take the whole amount by bank card", PAYMENT),
    Action(
        "f3",
        "f3",
        "F3",
        "Card",
        "In a payment: F3 card, F4 points, F5 balance, F6 code, F7 send it",
        PAYMENT,
        above=True,
    ),
    Action("f4", "f4", "F4", "Points", "", PAYMENT, above=True),
    Action("f5", "f5", "F5", "Balance", "", PAYMENT, above=True),
    Action("f6", "f6", "F6", "Code", "", PAYMENT, above=True),
    Action("f7", "f7", "F7", "Send", "", PAYMENT, above=True),
    Action("f8", "f8", "F8", "Reader", "Also: F8 the next card at the reader is shown", PAYMENT, above=True),
    Action("f9", "f9", "F9", "Charge", "Take it by the credit card that is linked to the card", PAYMENT, above=True),
    Action("f3", "f3", "F3", "Plate", "4 F3: on account: type a plate, +phone or *voucher, or scan a code", BOARD),
    Action("f4", "f4", "F4", "Card", "4 F4: the next card at this till's reader is for pump 4", BOARD),
    Action("f5", "f5", "F5", "Balance", "Ask for the balance of a card or a plate", BOARD),
    Action("f6", "f6", "F6", "All calling", "Let all pumps deliver that call", BOARD),
    Action("f9", "f9", "F9", "Receipt", "Show the last receipt of this till again", BOARD),
    Action("escape", "escape", "Esc", "Back", "Clear what is typed; go back and give the delivery free", ALL - BOARD),
    Action("f12", "f12", "F12", "STOP ALL", "Stop all pumps at once: no question, on every screen", ALL),
)

FLOWS: tuple[tuple[str, str], ...] = (
    ("4 Enter", "The next thing at pump 4: let it deliver, take the money, or answer what it asks"),
    ("4 Enter 2 Enter", "Let pump 4 deliver fuel 2, where the pump does not say which nozzle is lifted"),
    ("4 Enter Enter", "Take exact cash for pump 4"),
    ("4 Enter 500 Enter", "Take 500 in cash, and show the change"),
    ("4 Enter F2", "Take it by bank card"),
    ("4 -", "Stop pump 4"),
    ("0 -", "Stop all pumps, as F12 does"),
    ("4 * 1000 Enter", "Let pump 4 deliver for 1000 of money"),
    ("4 / 20 Enter", "Let pump 4 deliver 20 litres"),
    ("+  PgUp PgDn", "Turn the page, where not all pumps fit"),
)
"""The help's flows, in the words of the keypad."""

PAD_KEYS: dict[str, str] = {digit: digit for digit in "0123456789"} | {
    "full_stop": ".",
    "comma": ".",
    "minus": "-",
    "asterisk": "*",
    "slash": "/",
    "plus": "+",
    "enter": "enter",
    "backspace": "backspace",
    "pagedown": "pagedown",
    "pageup": "pageup",
}
"""The keypad, by Textual's names of its keys."""


def buttons(place: Place) -> tuple[Action, ...]:
    """The buttons of a place, in their order."""
    return tuple(action for action in ACTIONS if place in action.places)
