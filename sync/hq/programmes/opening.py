"""A desk by what hq.toml says: the programmes' files and the network's list key, read from the disk."""

from pathlib import Path

from controller.domain.programmes.programme import ProgrammeError
from controller.keys import SECRET_BYTES, KeyFileError, read_hex
from controller.programme_files import programme_text
from sync.hq.config import Config, ConfigError, beside
from sync.hq.programmes.desk import Commit, Desk


def open_desk(config: Config, path: Path, commit: Commit) -> Desk:
    """`path`: of hq.toml. ConfigError names the key of it that cannot be used, and why."""
    try:
        kept = [programme_text(name, path.parent).programme for name in config.programmes]
    except ProgrammeError as error:
        raise ConfigError(f"{path}, programmes: {error}") from error
    names = [programme.name for programme in kept]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}, programmes: two of them have one name: {', '.join(sorted(names))}")
    try:
        secret = read_hex(beside(config.list_key, path), SECRET_BYTES) if config.list_key else b""
    except KeyFileError as error:
        raise ConfigError(f"{path}, list_key: {error}") from error
    return Desk(commit, kept, secret, config.products, config.vat)
