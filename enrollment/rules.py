"""Pure rules of plans, of what somebody brings to register, and of marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# The life of a plan, by the values of ``PlanStatus``. A version in force is amended by the one that takes its place;
# what is amended stays as it is, what is closed the administrator may open again for a reason.
PLAN_STEPS: Final[Mapping[str, frozenset[str]]] = {
    "provisional": frozenset({"draft"}),
    "draft": frozenset({"provisional", "published"}),
    "published": frozenset({"amended", "closed"}),
    "amended": frozenset(),
    "closed": frozenset({"published"}),
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


# How far the mark of a government-paid person travels, by the values of ``MarkState``, and whose post moves it there:
# the township verifies its own people, the bureau marks them in its system, the tax side takes them over.
MARK_STEPS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "listed": ("verified", frozenset({"township_clerk"})),
    "verified": ("marked", frozenset({"medical_bureau", "hr_bureau"})),
    "marked": ("synced", frozenset({"tax_bureau"})),
}


def mark_before(following: str) -> str | None:
    """The state from which a mark goes to ``following``; None where none does."""
    return next((state for state, (to, _posts) in MARK_STEPS.items() if to == following), None)


def may_move_mark(role: str, following: str) -> bool:
    """Whether a post moves marks to a state."""
    return any(to == following and role in posts for to, posts in MARK_STEPS.values())
