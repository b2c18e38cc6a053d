"""Headquarters and the link to it, in virtual time: the production ingest on a database in memory, behind a link
that is slow, loses messages and answers, and says things twice.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.domain.seams import US_PER_MS, US_PER_S, Clock
from sim.chance import Chance
from sync.hq.answers import Answers
from sync.hq.ingest import Ingest
from sync.hq.prepaid import Prepaid
from sync.hq.requests import Answering, Requests
from sync.hq.store import Store, Totals
from sync.runner import LinkDown
from sync.wire import BATCHES_PATH

KEY_BYTES = 32
TIMEOUT_US = 10 * US_PER_S


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """How bad the link is: one in so many messages is lost, has its answer lost, or arrives twice (0: none)."""

    lost_one_in: int = 50
    answer_lost_one_in: int = 50
    doubled_one_in: int = 50
    delay_ms: tuple[int, int] = (30, 400)


class SimulatedHeadquarters:
    """Implements the sync's Transport for one station."""

    def __init__(
        self,
        station: str,
        clock: Clock,
        chance: Chance,
        quality: LinkQuality,
        answering: Answering | None = None,
    ) -> None:
        """`answering`: who answers its questions beside those of prepaid accounts."""
        self.key = Ed25519PrivateKey.from_private_bytes(chance.random_bytes(KEY_BYTES))
        self._station = station
        self._clock = clock
        self._chance = chance
        self._quality = quality
        self.store = Store.in_memory()
        self._ingest = Ingest(self.store, simulated=True)
        self.prepaid = Prepaid(self.store.commit)
        """Its prepaid accounts, to be paid into."""
        self._requests = Requests(self.store, Answers(self.prepaid, answering))
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.store.enrol(station, public, clock.now().wall_ms)

    async def post(self, path: str, body: bytes) -> bytes:
        """Carry a message there and its answer back, if chance lets it."""
        quality, chance = self._quality, self._chance
        if quality.lost_one_in and chance.one_in(quality.lost_one_in):
            await self._wait_us(TIMEOUT_US)
            raise LinkDown("the simulated link lost the message")
        await self._wait_us(chance.between(*quality.delay_ms) * US_PER_MS)
        receive = self._ingest.receive if path == BATCHES_PATH else self._requests.receive
        answer = receive(body, self._clock.now().wall_ms)
        if quality.doubled_one_in and chance.one_in(quality.doubled_one_in):
            answer = receive(body, self._clock.now().wall_ms)
        if quality.answer_lost_one_in and chance.one_in(quality.answer_lost_one_in):
            await self._wait_us(TIMEOUT_US)
            raise LinkDown("the simulated link lost the answer")
        await self._wait_us(chance.between(*quality.delay_ms) * US_PER_MS)
        return answer

    def totals(self) -> Totals:
        return self.store.totals(self._station)

    def close(self) -> None:
        self.store.close()

    async def _wait_us(self, us: int) -> None:
        await self._clock.sleep_until(self._clock.now().mono_us + us)
