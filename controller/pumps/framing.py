"""How the bytes of a line are framed, as people write it: "8O1" is 8 data bits, odd parity, 1 stop bit.

Knows no port and no file.
"""

import re
from dataclasses import replace

from controller.pumps.core import LineSettings

_FRAMING = re.compile(r"([78])([NEO])([12])")


def framed(line: LineSettings, text: str) -> LineSettings:
    """The line with this framing. ValueError with a sentence if it is none, or cuts off bits that its pumps use."""
    found = _FRAMING.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r}: expected data bits, parity and stop bits, such as "8O1", "8N1" or "7E2"')
    bits, parity, stop = int(found.group(1)), found.group(2), int(found.group(3))
    if bits < line.bits:
        raise ValueError(f"{text!r}: the bytes of this protocol have {line.bits} bits, so {bits} would lose some")
    return replace(line, bits=bits, parity=parity, stop=stop)


def framing_text(line: LineSettings) -> str:
    """As `framed` takes it."""
    return f"{line.bits}{line.parity}{line.stop}"
