"""Lots: points with an expiry, spent in its order, restored exactly, whatever the order of the reversals.

For each expiry an account keeps two numbers: `net`, what was earned and put back less what was spent and taken back,
and `expired`, what expired of it. Nothing else is remembered, so that spending and its reversal, or earning and its
taking back, cancel out in any order. A net below zero is a debt (points taken back that were spent already); the lots
that expire first cover it, and only what is left of them can be spent or expire. Knows no ledger: `points` books.
"""

from bisect import insort
from operator import attrgetter

Piece = tuple[int, int]
"""(expiry in ms, points)."""
_by_expiry = attrgetter("expiry_ms")


class Lot:
    """What one account holds with one expiry."""

    __slots__ = ("expired", "expiry_ms", "net")

    def __init__(self, expiry_ms: int) -> None:
        self.expiry_ms = expiry_ms
        self.net = 0
        self.expired = 0


class LotAccount:
    """An account of points. `closed`: its membership was cancelled and its points deleted, as if all had expired."""

    __slots__ = ("closed", "commodity", "debt", "lots", "name")

    def __init__(self, name: str, commodity: str) -> None:
        self.name = name
        self.commodity = commodity
        self.closed = False
        self.debt = False
        """Whether any net may be below zero: most accounts never see one."""
        self.lots: list[Lot] = []

    def add(self, expiry_ms: int, points: int) -> bool:
        """Put points (or, negative, take them) into the lot of an expiry. True where that lot is new here."""
        for lot in self.lots:
            if lot.expiry_ms == expiry_ms:
                lot.net += points
                self.debt = self.debt or lot.net < lot.expired
                return False
        lot = Lot(expiry_ms)
        lot.net = points
        self.debt = self.debt or points < 0
        insort(self.lots, lot, key=_by_expiry)
        return True

    def free(self) -> list[tuple[Lot, int]]:
        """What can be spent, by lot, the first to expire first: debts are covered."""
        debt = -sum(min(lot.net - lot.expired, 0) for lot in self.lots) if self.debt else 0
        found = []
        for lot in self.lots:
            left = lot.net - lot.expired
            if left > 0:
                covered = min(debt, left)
                debt -= covered
                if left > covered:
                    found.append((lot, left - covered))
        return found

    def take(self, points: int) -> list[Piece]:
        """Spend; the pieces say from which lots, to put them back. The account holds enough: the caller has looked."""
        pieces = []
        for lot, left in self.free():
            part = min(points, left)
            lot.net -= part
            pieces.append((lot.expiry_ms, part))
            points -= part
            if not points:
                return pieces
        raise ValueError(f"{self.name}: {points} points more than it holds were to be spent")

    def settle(self, now_ms: int) -> int:
        """Let expire what is due, and give back the expiry of what was taken back itself. The change of the balance."""
        if not self.lots or (self.lots[0].expiry_ms > now_ms and not self.closed):
            return 0
        change = 0
        for lot in self.lots:
            over = lot.expired - max(lot.net, 0)
            if over > 0:
                lot.expired -= over
                change += over
        for lot, left in self.free():
            if self.closed or lot.expiry_ms <= now_ms:
                lot.expired += left
                change -= left
        return change

    def hand_back(self, now_ms: int) -> list[Piece]:
        """Empty the lots that are due, for another account to let expire."""
        due = [lot for lot in self.lots if lot.net > 0 and (self.closed or lot.expiry_ms <= now_ms)]
        pieces = [(lot.expiry_ms, lot.net) for lot in due]
        for lot in due:
            lot.net = 0
        return pieces

    @property
    def last_expiry_ms(self) -> int:
        return self.lots[-1].expiry_ms if self.lots else 0

    def snapshot(self) -> list[tuple[int, int, int]]:
        """(expiry, net, expired) of each lot that holds anything: for tests and statements."""
        return [(lot.expiry_ms, lot.net, lot.expired) for lot in self.lots if lot.net or lot.expired]
