"""Two versions of a plan beside each other: rules that came, went, or say something else."""

from __future__ import annotations

from dataclasses import dataclass

from contributions.plans.document import RuleView, rule_views
from enrollment.models import CollectionPlan


@dataclass(frozen=True)
class Change:
    """A rule in both versions; None where it does not stand."""

    title: str
    before: RuleView | None
    after: RuleView | None

    @property
    def kind(self) -> str:
        """added, removed or changed."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def differences(before: CollectionPlan, after: CollectionPlan) -> list[Change]:
    """What differs, in the order of the newer version; what went stands last. Raises PlanError as reading does."""
    old = {view.code: view for view in rule_views(before)}
    new = {view.code: view for view in rule_views(after)}
    found = [
        Change(view.heading, old.get(code), view)
        for code, view in new.items()
        if code not in old or _says(old[code]) != _says(view)
    ]
    return found + [Change(view.heading, view, None) for code, view in old.items() if code not in new]


def _says(view: RuleView) -> tuple[object, ...]:
    """What matters of a rule; a clause that moved to other lines says the same."""
    return (view.title, view.sentence, view.facts, view.clause, view.setting, view.note, view.values)
