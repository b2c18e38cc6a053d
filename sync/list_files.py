"""Headquarters' lists on a station's disk: kept piece by piece in a folder, then put in place of the one in use.

Beside the event loop: a small file on a thread, a large one in a process of its own, since it takes minutes, and pumps
want their answers within milliseconds. Knows no wire.
"""

import asyncio
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from controller import keys
from controller.config import StationConfig
from controller.deciding.shown import verified_by
from controller.domain.list_parts import Taker
from controller.domain.tokens import list_key_print
from controller.store.whitelist_file import WHITELIST_FILE, WhitelistError, about_of
from controller.store.whitelist_taking import take

FOLDER = "incoming"
"""In the data folder. What is left there of a fetch that was broken off is gone on with."""
LARGE_BYTES = 256 << 10
"""Some thousands of entries: a tenth of a second, in which the loop still has its turns."""
NICE = 10
"""So much lower than the station's own is the priority of the process that takes a large list."""


class ListFiles:
    """Implements `sync.list_fetch.ListStore`."""

    def __init__(self, config: StationConfig) -> None:
        self._keys, self._currency = config.keys, config.currency.code
        self._list = config.data / WHITELIST_FILE
        self._folder = config.data / FOLDER

    async def held(self) -> int:
        """See ListStore."""
        return await asyncio.to_thread(self._held)

    async def fetched(self, name: str) -> int:
        """See ListStore."""
        return await asyncio.to_thread(self._fetched, name)

    async def add(self, name: str, offset: int, data: bytes) -> None:
        """See ListStore."""
        await asyncio.to_thread(self._add, name, offset, data)

    async def take(self, name: str) -> str:
        """See ListStore."""
        if await self.fetched(name) <= LARGE_BYTES:
            return await asyncio.to_thread(self._take, name)
        executor = ProcessPoolExecutor(1, get_context("spawn"), os.nice, (NICE,))
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, self._take, name)
        except BrokenProcessPool:
            return "the process that took it was ended: is there memory? It is fetched again"
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    # ---- beside the loop

    def _held(self) -> int:
        try:
            about = about_of(self._list)
        except WhitelistError:
            return 0  # what cannot be read is replaced whole
        return about.version if about is not None and about.header else 0

    def _fetched(self, name: str) -> int:
        """Files of other versions go: there is one at a time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for other in self._folder.iterdir():
            if other.name != name:
                other.unlink()
        path = self._folder / name
        return path.stat().st_size if path.exists() else 0

    def _add(self, name: str, offset: int, data: bytes) -> None:
        with (self._folder / name).open("ab") as file:
            file.truncate(offset)
            file.write(data)

    def _take(self, name: str) -> str:
        path = self._folder / name
        try:
            taker = Taker(list_key_print(keys.list_key(self._keys)), self._currency)
            verify = verified_by((keys.read_public(self._keys / keys.HEADQUARTERS_PUBLIC),))
            take(self._list, path, taker, verify)
        except (WhitelistError, keys.KeyFileError) as error:
            return str(error)
        finally:
            path.unlink(missing_ok=True)
        return ""
