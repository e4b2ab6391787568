"""Pure rules of plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# The life of a plan, by the values of ``PlanStatus``. A version in force is amended by the one that takes its place;
# what is amended or closed stays as it is.
PLAN_STEPS: Final[Mapping[str, frozenset[str]]] = {
    "provisional": frozenset({"draft"}),
    "draft": frozenset({"provisional", "published"}),
    "published": frozenset({"amended", "closed"}),
    "amended": frozenset(),
    "closed": frozenset(),
}
# Versions whose text is no longer changed, and those of a code by which work is done.
FROZEN: Final = ("published", "amended", "closed")
IN_FORCE: Final = ("published", "closed")


def may_become(status: str, following: str) -> bool:
    """Whether a plan goes from one state to another."""
    return following in PLAN_STEPS[status]
