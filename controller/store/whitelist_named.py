"""What the tokens of a list name that has to be known elsewhere: products, and kinds of cards of fuel programmes.

A card for a product that nobody sells never matches, and nothing would say so. Knows no file.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from controller.domain.list_entries import Entry, Product
from controller.domain.lists import ListRow


class Named:
    """Show it every entry of a list by `see`, then ask it."""

    def __init__(self) -> None:
        self._products: Counter[str] = Counter()
        """By a row's whole text: a fleet's rows say the same."""
        self._sets: Counter[tuple[str, str]] = Counter()
        self._listed: set[str] = set()

    def see(self, entry: Entry) -> None:
        match entry:
            case ListRow():
                if entry.products:
                    self._products[entry.products] += 1
                if entry.member is not None and entry.member.product_set:
                    self._sets[entry.member.programme, entry.member.product_set] += 1
            case Product():
                self._listed.add(entry.code)
            case _:
                pass

    def unknown_products(self, sold: Collection[str]) -> dict[str, int]:
        """Products that tokens name, and that are neither sold here nor a product of the list; and by how many."""
        found: Counter[str] = Counter()
        for text, count in self._products.items():
            for code in set(text.split(",")) - self._listed - set(sold):
                found[code] += count
        return dict(sorted(found.items()))

    def unknown_sets(self, programmes: Mapping[str, Collection[str]]) -> dict[tuple[str, str], int]:
        """Programme and kind of card where the programme is used here and has no such kind; and how many tokens.

        `programmes`: those that are used here, each with the names of its kinds.
        """
        found = {
            (programme, kind): count
            for (programme, kind), count in self._sets.items()
            if programme in programmes and kind not in programmes[programme]
        }
        return dict(sorted(found.items()))
