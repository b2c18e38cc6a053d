"""Codes of one use that somebody was let go by, and not by this journal, as headquarters tells with its answers.

Of this run of the program: what counts of them is in the evidence of each decision, and headquarters tells those that
still live again after a restart. Knows no wire and no decision.
"""

from controller.domain.codes import FORGOTTEN_AFTER_MS
from controller.domain.headquarters import Headquarters, UsedCode
from controller.site import Site


class UsedElsewhere:
    """What headquarters has told one station."""

    def __init__(self, site: Site, headquarters: Headquarters) -> None:
        self._site = site
        self._until_ms: dict[bytes, int] = {}
        headquarters.on_used_codes(self._told)
        site.code_used_elsewhere = self.knows

    def knows(self, nonce: bytes) -> bool:
        """Whether the code of this name was used elsewhere."""
        return nonce in self._until_ms

    def _told(self, codes: tuple[UsedCode, ...]) -> None:
        # Kept for a while after their end: a clock that is set back revives none.
        kept_ms = self._site.wall_ms - FORGOTTEN_AFTER_MS
        living = {nonce: until_ms for nonce, until_ms in self._until_ms.items() if until_ms > kept_ms}
        self._until_ms = living | {code.nonce: code.until_ms for code in codes}
