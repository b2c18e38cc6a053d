"""The command `forecourt whitelist prices`: headquarters' prices on the list, and what each of them is at this station.

The same rules as at the pumps decide; nothing is changed by it. The clock is this machine's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from controller.config import ConfigError, StationConfig, load
from controller.domain.days import local_time
from controller.domain.list_entries import ListPrice
from controller.domain.list_prices import in_force, prices_of
from controller.domain.prices import price_shown
from controller.install import CONFIG_FILE
from controller.office.whitelist_making import fail, now_ms
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import WHITELIST_FILE


@click.command("prices")
@click.option("--config", "config_path", type=click.Path(path_type=Path), default=Path(CONFIG_FILE), show_default=True)
def prices(config_path: Path) -> None:
    """Show the list's prices, and what each of them is at this station."""
    try:
        config = load(config_path)
    except ConfigError as error:
        fail(str(error))
    listed = Whitelist(config.data / WHITELIST_FILE)
    catalogue = listed.catalogue()
    trouble = listed.trouble
    listed.close()
    if catalogue is None:
        fail(trouble or f"There is no card list at {config.data / WHITELIST_FILE}: import one")
    whose = "signed by headquarters" if catalogue.signed else "imported here"
    who = "they hold here" if config.file.prices.set_by == "list" else 'not used here: prices.set_by is "desk"'
    click.echo(f"version {catalogue.version}, {whose}; {who}")
    for line in price_lines(catalogue.prices, config, now_ms()):
        click.echo(line)


def price_lines(listed: Sequence[ListPrice], config: StationConfig, at_ms: int) -> Iterator[str]:
    """A line a price, by grade and moment."""
    rows = []
    for grade in dict.fromkeys([*config.grades, *sorted(price.grade for price in listed)]):
        own = prices_of(listed, grade, config.file.station.id)
        held = in_force(own, at_ms)
        others = [price for price in listed if price.grade == grade and price not in own]
        if grade in config.grades and not own:
            rows.append((grade, "", "", "none for this station: the desk sets it"))
        for price in sorted([*own, *others], key=lambda price: price.from_ms):
            what = _what(price, config, own, held, at_ms)
            rows.append((grade, _text(price, config), _moment(price.from_ms, config), what))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        yield "  " + "  ".join([*(text.ljust(width) for text, width in zip(row[:3], widths, strict=True)), row[3]])


def _what(price: ListPrice, config: StationConfig, own: Sequence[ListPrice], held: ListPrice | None, at_ms: int) -> str:
    if price not in own:
        return f"for {price.stations.replace(',', ';')}"
    if price.grade not in config.grades:
        return "not sold here"
    try:
        price_shown(price.price, config.price_fields.get(price.grade, ()))
    except ValueError as error:
        return f"not taken: {error}"
    if price == held:
        return "holds"
    return "to come" if price.from_ms > at_ms else "over"


def _text(price: ListPrice, config: StationConfig) -> str:
    """As the pumps show it, where they can."""
    try:
        return str(price_shown(price.price, config.price_fields.get(price.grade, ())))
    except ValueError:
        return str(price.price)


def _moment(at_ms: int, config: StationConfig) -> str:
    return f"{local_time(at_ms, config.zone):%Y-%m-%d %H:%M}" if at_ms else "always"
