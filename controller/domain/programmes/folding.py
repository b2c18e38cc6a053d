"""How plates, phones and names are compared: without regard to case, to ı/i/İ/I, and, for plates, to look-alikes.

Plates and phones are folded as `controller.domain.tokens` folds them, so that what a member said at the desk and what
a station hashed are one; but whatever a record holds is taken, also what could be no plate and no phone.
"""

import unicodedata

from controller.domain.tokens import phone_digits, plate_letters

_DOT_ABOVE = "\u0307"
"""What is left of İ where a program made it small: i with a second dot."""
_NAME_I = str.maketrans({"İ": "i", "ı": "i", "I": "i", _DOT_ABOVE: ""})


def fold_plate(text: str) -> str:
    """A plate as it is compared: "34 abc-12" and "34ABC12" are one."""
    return plate_letters(text)


def fold_name(text: str) -> str:
    """A name as it is compared: case and I/İ/ı/i are one, spaces count once."""
    return unicodedata.normalize("NFC", " ".join(text.split())).translate(_NAME_I).casefold()


def fold_phone(text: str) -> str:
    """A phone number as it is compared: without spaces, hyphens, brackets and dots, `00` as `+`."""
    return phone_digits(text)
