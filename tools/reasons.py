"""Writes docs/reasons.md from the catalogue of reasons. Run it as `.venv/bin/python tools/reasons.py`."""

from pathlib import Path

from controller.domain.reasons import CATALOGUE

PAGE = Path(__file__).parent.parent / "docs" / "reasons.md"
HEAD = """\
# Reasons

Whatever the station refuses, it refuses for one of these reasons. The code and the attendant's text stand in the
answer to a command ([api.md](api.md)); the code stands in the journal's rows of kind `declined`; the driver's text, the
shorter one, stands on the pump's tile. A code never changes its meaning.

This page is made from `controller/domain/reasons.py` by `tools/reasons.py`: change it there.

| code | the attendant reads | for the driver |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = (f"| `{reason}` | {text.attendant} | {text.driver} |\n" for reason, text in CATALOGUE.items())
    return HEAD + "".join(rows)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
