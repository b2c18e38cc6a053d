"""A terminal's attributes, read as a line's framing and speed."""

import array
import fcntl
import termios

TCGETS2 = 0x802C542A
"""Linux: the attributes with the speed as a number; the plain ones only know the usual speeds."""
SPEED_AT = 9 + 1
"""Of the 44 bytes as 11 words: four of flags, 20 bytes of characters, then the speeds in and out."""
SIZES = {termios.CS5: 5, termios.CS6: 6, termios.CS7: 7, termios.CS8: 8}


def framing_of(cflag: int) -> str:
    """Control flags as "8O1"."""
    parity = ("O" if cflag & termios.PARODD else "E") if cflag & termios.PARENB else "N"
    return f"{SIZES[cflag & termios.CSIZE]}{parity}{2 if cflag & termios.CSTOPB else 1}"


def kept_of(fd: int) -> tuple[int, str, int]:
    """What a pseudo terminal keeps of its settings: the speed, the kind of parity, the stop bits.

    Not that there is parity at all, nor the data bits: Linux puts "none" and 8 there.
    """
    cflag = termios.tcgetattr(fd)[2]
    words = array.array("I", bytes(44))
    fcntl.ioctl(fd, TCGETS2, words)
    return words[SPEED_AT], "odd" if cflag & termios.PARODD else "even", 2 if cflag & termios.CSTOPB else 1
