"""What a tap costs: commands, our own time, and what we add to the round trips through a real pcscd.

The card is a simulated one with all that a card can carry: signed entitlement, counters, Transaction MAC, purse. In
process, the time that the card itself takes is not ours and is taken off.

Through pcscd, as root with the packages of the PC/SC tests: a whole tap as the reader's process does it
(`card_io.pcsc_field`), from connecting to the card to letting it go, against the bare round trips of it: connecting,
locking, the transmissions, unlocking, disconnecting. While the card answers, a station checks the entitlement's
signature and makes session keys on another thread, which may keep a round trip from ending; so the bare ones are those
of other taps, in turns with these, that do nothing of the kind.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.report import Check, Report, percentile
from card_io.apdu import MORE_INS
from card_io.beside import Beside
from card_io.identify import TapSession
from card_io.meanwhile import Meanwhile, at_once
from card_io.pcsc_field import PcscField
from card_io.transport import run_session_blocking
from sim.cards.state import save
from tests.cards.bench import seeded
from tests.cards.office import OFFICE, STATION_KEYS, loaded
from tests.cards.pcscd import READER, PrivatePcscd

COMMANDS_MAX = 12
OWN_MS_MAX = 5
RATIO_MAX = 1.3
TAPS = 300
TAPS_PCSC = 150


def measure() -> Report:
    commands, frames = _counted()
    own_ms = _own_ms()
    taps_ms, trips_ms = _through_pcscd()
    tap_ms, trip_ms = percentile(taps_ms, 0.5), percentile(trips_ms, 0.5)
    return Report(
        "tap",
        [
            Check("commands", commands, COMMANDS_MAX, ""),
            Check("our own time, p50", percentile(own_ms, 0.5), OWN_MS_MAX, "ms"),
            Check("through pcscd, against the round trips alone", tap_ms / trip_ms, RATIO_MAX, "x"),
        ],
        [
            ("frames", f"{frames} APDUs for {commands} commands: what is longer than a frame goes on in a next one"),
            ("our own time", f"p99 {percentile(own_ms, 0.99):.2f} ms, of {TAPS} taps"),
            ("through pcscd", f"p50 {tap_ms:.1f} ms, the bare round trips {trip_ms:.1f} ms, of {TAPS_PCSC} taps each"),
        ],
    )


def _counted() -> tuple[int, int]:
    sent: list[int] = []
    card = loaded()

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu[1])
        return card.transmit(apdu)

    run_session_blocking(TapSession(OFFICE, STATION_KEYS, seeded()), transmit)
    return sum(ins != MORE_INS for ins in sent), len(sent)


def _own_ms() -> list[float]:
    card = loaded()
    own = []
    for _ in range(TAPS):
        spent = 0.0

        def transmit(apdu: bytes) -> bytes:
            nonlocal spent
            began = time.perf_counter()
            answer = card.transmit(apdu)
            spent += time.perf_counter() - began
            return answer

        card.reset()
        began = time.perf_counter()
        run_session_blocking(TapSession(OFFICE, STATION_KEYS, seeded()), transmit)
        own.append((time.perf_counter() - began - spent) * 1_000)
    return own


def _through_pcscd() -> tuple[list[float], list[float]]:
    """Milliseconds of each tap, and of the bare round trips of others."""
    from smartcard import scard

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "purse.card"
        save(loaded().state, path)
        pcscd = PrivatePcscd(Path(folder))
        command = [sys.executable, "-m", "forecourt", "sim", "card", str(path), "--vpcd", str(pcscd.port)]
        holder: subprocess.Popen[bytes] | None = None
        try:
            pcscd.start()
            holder = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            pcscd.wait_for_card()
            # pcsc-lite finds its daemon by the environment
            os.environ["PCSCLITE_CSOCK_NAME"] = pcscd.environment["PCSCLITE_CSOCK_NAME"]
            return _in_turns(scard)
        finally:
            if holder is not None:
                holder.terminate()
                holder.wait()
            pcscd.close()


def _in_turns(scard: ModuleType) -> tuple[list[float], list[float]]:
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result:
        raise SystemExit(f"pcscd cannot be reached: {scard.SCardGetErrorMessage(result)}")
    timed, beside = _Timed(scard), Beside()
    field = PcscField(timed)

    def tap(meanwhile: Meanwhile) -> tuple[float, float]:
        timed.spent.clear()
        began = time.perf_counter()
        field.run(TapSession(OFFICE, STATION_KEYS, os.urandom, meanwhile=meanwhile), context, READER)
        return (time.perf_counter() - began) * 1_000, sum(timed.spent) * 1_000

    taps, trips = [], []
    for _ in range(TAPS_PCSC):
        taps.append(tap(beside)[0])
        trips.append(tap(at_once)[1])
    scard.SCardReleaseContext(context)
    return taps, trips


class _Timed(ModuleType):
    """pyscard's module, and the seconds spent in each of its calls."""

    def __init__(self, scard: ModuleType) -> None:
        super().__init__(scard.__name__)
        self._scard = scard
        self.spent: list[float] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._scard, name)
        if callable(found):
            found = self._timed(found)
        setattr(self, name, found)  # the next time it is found without this
        return found

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        now, note = time.perf_counter, self.spent.append

        def timed(*arguments: object) -> Any:
            began = now()
            found = call(*arguments)
            note(now() - began)
            return found

        return timed


if __name__ == "__main__":
    measure().show()
