"""What every command of a station begins with: its `--config`, and station.toml, or a sentence and exit code 1."""

from pathlib import Path
from typing import NoReturn

import click

from controller.config import ConfigError, StationConfig, load
from controller.install import CONFIG_FILE

config_option = click.option(
    "--config", "path", type=click.Path(path_type=Path), default=Path(CONFIG_FILE), show_default=True
)


def fail(text: str) -> NoReturn:
    """Say it, and end with code 1."""
    click.echo(text, err=True)
    raise SystemExit(1)


def load_station(path: Path) -> StationConfig:
    """station.toml, checked. Ends with a sentence if it cannot be used."""
    try:
        return load(path)
    except ConfigError as error:
        fail(str(error))
