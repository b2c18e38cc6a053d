"""Figures three lines high, to be read from two metres. Pure text in, three lines out."""

HEIGHT = 3

_FIGURES = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": (" ┓ ", " ┃ ", "╺┻╸"),
    "2": ("╺━┓", "┏━┛", "┗━╸"),
    "3": ("╺━┓", " ━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "╺━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    ".": (" ", " ", "."),
    "-": ("   ", "╺━╸", "   "),
    " ": (" ", " ", " "),
}


def large(text: str) -> tuple[str, str, str]:
    """`text` (figures, point, minus, blanks) as three lines of the same width."""
    shapes = [_FIGURES[character] for character in text]
    top, middle, bottom = ("".join(shape[line] for shape in shapes) for line in range(HEIGHT))
    return top, middle, bottom
