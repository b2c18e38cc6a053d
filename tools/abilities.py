"""Writes the table of abilities into docs/pumps.md. Run it as `.venv/bin/python tools/abilities.py`."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from controller.config import MAX_NOZZLES
from controller.pumps.abilities import Abilities
from controller.pumps.framing import framing_text
from controller.pumps.protocols import PROTOCOLS, Row

PAGE = Path(__file__).parent.parent / "docs" / "pumps.md"
BEGIN = "<!-- abilities: made by tools/abilities.py, change it there -->\n"
END = "<!-- /abilities -->\n"
HEX_FROM = 0x50
"""DART's addresses are written in hex everywhere."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a technician reads for a yes-or-no ability: its name, and what stands for yes and no."""

    name: str
    no: str
    yes: str = "yes"


UNSUPPORTED = "no: `unsupported`"
YES_OR_NO = {
    "preset_volume": Words("preset of volume", UNSUPPORTED),
    "preset_amount": Words("preset of money", "becomes one of volume, rounded down"),
    "choice_of_nozzles": Words("let some nozzles deliver, and not the others", "no"),
    "suspend": Words("hold a delivery, and let it go on", UNSUPPORTED),
    "set_prices": Words("price change from the station", UNSUPPORTED),
    "volume_totals": Words("totalisers of volume", UNSUPPORTED),
    "amount_totals": Words("totalisers of money (no command shows them)", "no"),
    "running_volume": Words("volume while it runs", "reckoned from money and price", "the pump says it"),
    "running_amount": Words("money while it runs", "reckoned from volume and price", "the pump says it"),
    "identity": Words("what the pump is (`pump identity`)", UNSUPPORTED),
    "stop_all": Words("one transmission stops the whole line", "no: each pump is stopped by itself"),
}
COUNTED = {"pumps_max": "pumps a line", "nozzles_max": "nozzles a pump"}


def table() -> str:
    """A row an ability, a column a protocol."""
    head = ["", *(f"`{name}`" for name in PROTOCOLS)]
    lines = [head, ["---"] * len(head), *_lines()]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def _lines() -> Iterator[list[str]]:
    rows = list(PROTOCOLS.values())
    yield ["usual speed and framing", *(f"{row.line.baud} {framing_text(row.line)}" for row in rows)]
    yield ["addresses", *(_addresses(row) for row in rows)]
    for field in fields(Abilities):  # a new ability without words is a KeyError here
        values = [getattr(row.abilities, field.name) for row in rows]
        if field.name in COUNTED:
            yield [COUNTED[field.name], *map(str, values)]
        else:
            words = YES_OR_NO[field.name]
            yield [words.name, *(words.yes if value else words.no for value in values)]
    yield ["grades a point of a station", *(str(min(row.nozzles_max, MAX_NOZZLES)) for row in rows)]


def _addresses(row: Row) -> str:
    first, last = row.addresses[0], row.addresses[-1]
    return f"0x{first:02X} to 0x{last:02X}" if first >= HEX_FROM else f"{first} to {last}"


def page(text: str) -> str:
    """The page with the table of today. ValueError if the marks are not in it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"{PAGE.name} has no place for the table: expected the lines {BEGIN.strip()} and {END.strip()}"
        )
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
