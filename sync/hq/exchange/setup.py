"""Puts the exchange together from hq.toml and the files beside it. The one place that reads the exchange key."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.keys import SECRET_BYTES, KeyFileError, read_hex
from sync.hq.config import Config, ConfigError, beside
from sync.hq.exchange.office import Commit, ExchangeError
from sync.hq.exchange.orders import Exchange
from sync.hq.programmes.desk import Desk

KEY_NAME = "exchange.key"
PROGRAMME = "cng-interissuer"
"""The programme whose cards others honour."""


def open_exchange(config: Config, path: Path, commit: Commit, desk: Desk) -> Exchange:
    """`path`: of hq.toml, beside which the exchange key lies. ConfigError for a list key that cannot be read."""
    try:
        secret = read_hex(beside(config.list_key, path), SECRET_BYTES) if config.list_key else b""
    except KeyFileError as error:
        raise ConfigError(f"{path}, list_key: {error}") from error
    key_path = beside(KEY_NAME, path)
    return Exchange(commit, lambda: desk.ledger(PROGRAMME), lambda: _read_key(key_path), secret, config.products)


def _read_key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        raise ExchangeError(f"{path} is not there: forecourt hq exchange init NAME")
    try:
        return Ed25519PrivateKey.from_private_bytes(read_hex(path, SECRET_BYTES))
    except KeyFileError as error:
        raise ExchangeError(str(error)) from error
