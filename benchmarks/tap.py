"""What a tap costs: commands, our own time, and what we add to the round trips through a real pcscd.

The card is a simulated one with all that a card can carry: signed entitlement, counters, Transaction MAC, purse. In
process, the time that the card itself takes is not ours and is taken off. Through pcscd, as root with the packages of
the PC/SC tests: the time of a whole tap, from connecting to the card to its facts, against what pcscd is asked in it:
connecting, locking and the transmissions.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import Check, Report, percentile
from card_io.apdu import MORE_INS
from card_io.identify import TapSession
from card_io.transport import run_session_blocking
from sim.cards.state import save
from tests.cards.bench import seeded
from tests.cards.office import OFFICE, STATION_KEYS, loaded
from tests.cards.pcscd import READER, PrivatePcscd

COMMANDS_MAX = 12
OWN_MS_MAX = 5
RATIO_MAX = 1.3
TAPS = 300
TAPS_PCSC = 60


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
            ("through pcscd", f"p50 {tap_ms:.1f} ms, the round trips in it {trip_ms:.1f} ms, of {TAPS_PCSC} taps"),
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
    """Milliseconds of each tap, and of the transmissions in it."""
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
            found = [_tap(scard) for _ in range(TAPS_PCSC)]
        finally:
            if holder is not None:
                holder.terminate()
                holder.wait()
            pcscd.close()
    return [tap for tap, _ in found], [trips for _, trips in found]


def _tap(scard: Any) -> tuple[float, float]:  # pyscard has no types
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    trips = 0.0

    def asked(ask: Callable[..., Any], *arguments: object) -> Any:
        nonlocal trips
        sent = time.perf_counter()
        found = ask(*arguments)
        trips += time.perf_counter() - sent
        return found

    began = time.perf_counter()
    protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
    result, card, protocol = asked(scard.SCardConnect, context, READER, scard.SCARD_SHARE_SHARED, protocols)
    if result:
        raise SystemExit(f"the card cannot be reached: {scard.SCardGetErrorMessage(result)}")
    asked(scard.SCardBeginTransaction, card)
    header = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1

    def transmit(apdu: bytes) -> bytes:
        _, answer = asked(scard.SCardTransmit, card, header, list(apdu))
        return bytes(answer)

    run_session_blocking(TapSession(OFFICE, STATION_KEYS, seeded()), transmit)
    asked(scard.SCardEndTransaction, card, scard.SCARD_LEAVE_CARD)
    taken = time.perf_counter() - began
    scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
    scard.SCardReleaseContext(context)
    return taken * 1_000, trips * 1_000


if __name__ == "__main__":
    measure().show()
