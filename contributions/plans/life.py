"""Where a plan stands on its way, and what somebody may do about it."""

from __future__ import annotations

from dataclasses import dataclass

from contributions.models import Amendment
from contributions.plans.amendment import past_amendments
from enrollment.models import CollectionPlan, PlanStatus
from townships.models import User
from townships.rules import may

_WAY = (PlanStatus.PROVISIONAL, PlanStatus.DRAFT, PlanStatus.PUBLISHED, PlanStatus.CLOSED)


@dataclass(frozen=True)
class Life:
    """The way with the present step marked (``done``, ``now`` or nothing), and the version's place beside others.

    ``amends``: a draft beside a version in force. ``amendment``: the number of such a draft, 0 for none. ``past``: the
    amendments that took effect, for whoever may see what they did.
    """

    steps: list[tuple[str, str]]
    may_manage: bool
    amends: bool
    amendment: int
    may_see: bool
    past: list[Amendment]


def life_of(user: User, plan: CollectionPlan) -> Life:
    """The way of a version as its page shows it."""
    status = PlanStatus(plan.status)
    way = list(_WAY)
    if status != PlanStatus.PROVISIONAL:
        way.remove(PlanStatus.PROVISIONAL)  # most plans are entered when their paper is out
    if status == PlanStatus.AMENDED:
        way = [PlanStatus.DRAFT, PlanStatus.PUBLISHED, PlanStatus.AMENDED]
    now = way.index(status)
    looks = ["done" if place < now else "now" if place == now else "" for place in range(len(way))]
    versions = CollectionPlan.objects.filter(code=plan.code)
    standing = versions.in_force().exclude(pk=plan.pk).exists()
    draft = versions.filter(status=PlanStatus.DRAFT).exclude(pk__in=versions.in_force()).first()
    return Life(
        steps=[(str(each.label), look) for each, look in zip(way, looks, strict=True)],
        may_manage=may(user.role, "manage_plans"),
        amends=status == PlanStatus.DRAFT and standing,
        amendment=draft.version if draft is not None else 0,
        may_see=(sees := may(user.role, "read_amendments")),
        past=past_amendments(plan) if sees else [],
    )
