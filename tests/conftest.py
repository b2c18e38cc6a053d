"""Keeps chance out of the properties: each is tried on the same examples every time, and a slow machine fails none.

To look for new examples instead: `pytest --hypothesis-profile=search`; a failure prints what repeats it.
"""

from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine and its neighbours than about the example.
settings.register_profile(
    "same", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("same"), derandomize=False, max_examples=1_000)
settings.load_profile("same")
