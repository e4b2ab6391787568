"""Pure rules of plans and of what somebody brings to register."""

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


# Papers of a new registration (002 L135–137, and what offices ask besides), by code; the words are in ``enrollment.words``.
ID_PAPER, FORM, PHOTO, PERMIT, BIRTH_CERTIFICATE, GROUP_PAPER = (
    "id_paper", "form", "photo", "permit", "birth_certificate", "group_paper",
)  # fmt: skip
PAPERS: Final = (ID_PAPER, FORM, PHOTO, PERMIT, BIRTH_CERTIFICATE, GROUP_PAPER)


def papers_needed(*, newborn: bool, outsider: bool) -> tuple[str, ...]:
    """What must be on the table before somebody is registered and money is taken (E086)."""
    needed = [BIRTH_CERTIFICATE if newborn else ID_PAPER, FORM]
    if outsider and not newborn:
        needed.append(PERMIT)
    return tuple(needed)
