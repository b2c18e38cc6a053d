"""How plates and names are compared: without regard to case, to ı/i/İ/I, and, for plates, to Cyrillic look-alikes.

Unlike `controller.domain.tokens`, which refuses what cannot be a plate, this folds whatever a record holds.
"""

import unicodedata

_DOT_ABOVE = "\u0307"
"""What is left of İ where a program made it small: i with a second dot."""
_LOOK_ALIKES = str.maketrans("İАВЕІКМНОРСТХУЇ", "IABEIKMHOPCTXYI")
"""Letters after `upper()`: dotted I, and Cyrillic ones that stand for Latin ones (on Ukrainian plates)."""
_BETWEEN = frozenset("-.\u2010\u2011\u2012\u2013\u2014\u00ad\u00b7" + _DOT_ABOVE)
_NAME_I = str.maketrans({"İ": "i", "ı": "i", "I": "i", _DOT_ABOVE: ""})


def fold_plate(text: str) -> str:
    """A plate as it is compared: "34 abc-12" and "34ABC12" are one."""
    return "".join(ch for ch in text if ch not in _BETWEEN and not ch.isspace()).upper().translate(_LOOK_ALIKES)


def fold_name(text: str) -> str:
    """A name as it is compared: case and I/İ/ı/i are one, spaces count once."""
    return unicodedata.normalize("NFC", " ".join(text.split())).translate(_NAME_I).casefold()


def fold_phone(text: str) -> str:
    """A phone number as it is compared: without spaces, hyphens, brackets and dots."""
    return "".join(ch for ch in text if ch not in "-()." and not ch.isspace())
