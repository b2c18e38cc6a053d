"""Sentences on what a list names and nobody here knows: it harms nothing, and never matches. Knows no file."""

from collections.abc import Iterator

from controller.config import StationConfig
from controller.store.whitelist_named import Named


def unknown_lines(named: Named, config: StationConfig) -> Iterator[str]:
    """A line for each product, and each kind of card, that tokens name and that is known neither here nor there."""
    for code, count in named.unknown_products(config.grades.keys()).items():
        yield (
            f"{_tokens(count)} may buy {code!r}, which is no grade of station.toml and no product of the list: "
            "it never matches. Is it misspelt?"
        )
    kinds = {text.programme.name: {rule.name for rule in text.programme.file.product_set} for text in config.programmes}
    for (programme, kind), count in named.unknown_sets(kinds).items():
        known = ", ".join(sorted(kinds[programme])) or "none"
        yield f"{_tokens(count)} of {programme}: product_set {kind!r}, and that programme has only {known}"


def _tokens(count: int) -> str:
    return f"{count} token{'' if count == 1 else 's'}"
