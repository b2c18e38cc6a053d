"""hq.toml: read, checked once, and typed from here on; and the commented file that `hq init` writes."""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from controller.domain.programmes.rules import Product
from sync.hq.programmes.vat import VatRate

DEFAULT_PORT = 8480
MIN_TOKEN_LETTERS = 16

Token = Annotated[str, msgspec.Meta(min_length=MIN_TOKEN_LETTERS)]


class ConfigError(Exception):
    """hq.toml cannot be used. The text names the file, the key and what was expected."""


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens. Port 0 takes a free one."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = DEFAULT_PORT


class Tokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bearer tokens: `read` for totals, `admin` for enrolling."""

    read: Token
    admin: Token


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of hq.toml. `database`: a file (relative to hq.toml) or a database URL."""

    database: Annotated[str, msgspec.Meta(min_length=1)]
    tokens: Tokens
    simulated: bool = False
    listen: Listen = Listen()
    programmes: tuple[str, ...] = ()
    """Fuel programmes that are kept here: shipped names, or TOML files beside this one."""
    lists: str = ""
    """The folder, relative to hq.toml, from which stations fetch lists: `forecourt whitelist publish` fills it."""
    list_key: str = ""
    """The network's list key, a file relative to hq.toml: by it stations' tokens are known."""
    products: dict[str, Product] = {}
    """The programmes' word for a station's grade, where the grade's code is another."""
    vat: tuple[VatRate, ...] = ()


def load_config(path: Path) -> Config:
    """The configuration of `path`. ConfigError with a sentence."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist: run `forecourt hq init {path.parent}`") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        expected, _, at = str(error).partition(" - at ")
        key = at.strip("`").removeprefix("$").strip(".") or "top level"
        raise ConfigError(f"{path}, {key}: {expected[:1].lower()}{expected[1:]}") from error


def database_of(config: Config, path: Path) -> Path | str:
    """The database of `config`, which was read from `path`: a file's path, or a URL."""
    return config.database if "://" in config.database else path.parent / config.database


def beside(name: str, path: Path) -> Path:
    """A file that hq.toml (`path`) names."""
    return path.parent / name


def template(*, simulated: bool, read_token: str, admin_token: str) -> str:
    """A commented hq.toml."""
    return f"""\
# Headquarters: receives what the stations send, and answers their questions.

# true: takes simulated stations, and no real one; false: the other way round.
simulated = {"true" if simulated else "false"}

# A SQLite file, relative to this one.
database = "hq.db"

# Fuel programmes that are kept here: shipped names, or TOML files beside this one.
# programmes = ["opet-kart", "lpg-pass"]
# The network's list key, which stations have too: by it their cards and plates are known here.
# list_key = "list.key"
# The folder from which stations fetch cards, prices and rules: forecourt whitelist publish fills it.
# lists = "lists"

[listen]
# 127.0.0.1 is this machine only. For stations over the Internet put a proxy with TLS in front of it.
host = "127.0.0.1"
# 0 takes a free port; it stands in the line that `forecourt hq serve` prints.
port = {DEFAULT_PORT}

[tokens]
# Sent as "Authorization: Bearer ...". Anybody who has them may use them: keep this file to yourself.
# read: totals. admin: enrolling stations while the server runs.
read = "{read_token}"
admin = "{admin_token}"

# Stations' grades whose code is no product's name: gasoline, diesel, autogas or cng.
# [products]
# lpg = "autogas"

# Value added tax in the prices, in hundredths of a percent, and from which day on.
# [[vat]]
# product = "autogas"
# from = 2026-01-01
# rate = 2000
"""
