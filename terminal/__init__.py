"""The attendant's terminal: a screen and a keypad on the station's API, with no state of its own that matters."""

import os

# Textual 8.2.8 dies of one key report of the Kitty protocol (ESC[1110::115;5u, Ctrl with a Cyrillic letter). A till
# needs nothing of that protocol, so it neither asks for it nor reads it. Textual looks when it is first imported.
os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
