"""An amendment: written beside the version in force, its examples settled, and put into force by exchanging two rows.

The row that registrations, charges and figures name goes on and carries the new version; the old text stays frozen
under its number on the other row (docs/decisions/0011).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from enrollment.models import CollectionPlan, PlanStatus, Stage, Target, Tier, Window
from foundation.audit.services import record
from subsidies.models import Rule
from subsidies.queries import (
    check_examples,
    examples_of,
    known_categories,
    rule_book,
)
from subsidies.rules.parse import load_plan_text
from subsidies.rules.source import PlanError
from subsidies.rules.writing import Paper, amend
from subsidies.services.life import lock, step
from subsidies.services.plans import store_plan

# What makes a version: everything of a plan's row but its key and what it is about.
_CONTENTS: Final = (
    "version", "name", "document_number", "issuer", "issued_on", "insurances", "collection_mode", "settings",
    "document", "examples", "source_sha256", "loaded_at", "published_at",
)  # fmt: skip
_PARTS: Final = (Tier, Window, Stage, Rule)
# Stands for a row while two change places; no version is numbered so.
_ASIDE: Final = 2**31 - 1


def open_amendment(plan: CollectionPlan) -> CollectionPlan | None:
    """The draft that amends a plan in force, if one is written."""
    drafts = CollectionPlan.objects.filter(code=plan.code, status=PlanStatus.DRAFT).exclude(pk=plan.pk)
    return drafts.select_related("county").first()


@transaction.atomic
def write_amendment(
    *, by: Any, plan: CollectionPlan, changes: Mapping[str, str], paper: Paper
) -> CollectionPlan:
    """Write the next version of a plan in force: what is changed, under the words of the amending paper.

    Raises PlanError where one is written already, and for changes or a paper that do not hold.
    """
    locked = lock(plan)
    if open_amendment(locked) is not None:
        raise PlanError("amendment_open", plan=locked.code)
    text = amend(rule_book(locked), changes, paper)
    draft = store_plan(by=by, book=load_plan_text(text, known_categories())).plan
    record(
        by=by, action="plan.amend", target_kind="plan", target=f"{draft.code} v{draft.version}",
        county_code=locked.county.code, detail={"changes": dict(changes), "paper": paper.number},
    )  # fmt: skip
    return draft


@transaction.atomic
def accept_examples(*, by: Any, draft: CollectionPlan) -> int:
    """Take the answers of a draft for what its paper means, example by example that differs. Returns how many."""
    locked = lock(draft)
    if locked.status != PlanStatus.DRAFT:
        raise PlanError("frozen", plan=locked.code, version=locked.version)
    failed = check_examples(rule_book(locked), examples_of(locked)).failed
    accepted = {**locked.examples}
    for example, keys in failed.items():
        accepted[example] = {
            **accepted.get(example, {}),
            **{key: actual for key, (_was, actual) in keys.items()},
        }
    locked.examples = accepted
    locked.save(update_fields=["examples"])
    record(
        by=by, action="plan.accept_examples", target_kind="plan", target=f"{locked.code} v{locked.version}",
        county_code=locked.county.code, detail={"examples": sorted(failed)},
    )  # fmt: skip
    return len(failed)


@transaction.atomic
def withdraw_amendment(*, by: Any, draft: CollectionPlan) -> None:
    """Take a draft that amends away, with its parts; nothing else ever named it. Raises PlanError for any other row."""
    locked = lock(draft)
    standing = CollectionPlan.objects.in_force().filter(code=locked.code).exclude(pk=locked.pk)
    if locked.status != PlanStatus.DRAFT or not standing.exists():
        raise PlanError("no_amendment", plan=locked.code)
    record(
        by=by, action="plan.withdraw", target_kind="plan", target=f"{locked.code} v{locked.version}",
        county_code=locked.county.code, detail={"sha256": locked.source_sha256},
    )  # fmt: skip
    Target.objects.filter(plan=locked).delete()
    locked.delete()


def check_amendment(draft: CollectionPlan) -> None:
    """Raises PlanError while the draft answers worked examples otherwise than somebody has said it should."""
    checked = check_examples(rule_book(draft), examples_of(draft))
    if checked.failed:
        raise PlanError("examples_differ", version=draft.version, n=len(checked.failed))


@transaction.atomic
def exchange(*, by: Any, plan: CollectionPlan, draft: CollectionPlan) -> CollectionPlan:
    """Put a draft into force: the two rows exchange what they say, and the text in force until now stands amended.

    Returns the row in force, which is the one it was. Raises PlanError where the two do not belong together, or an
    example of the draft is open.
    """
    first, second = sorted((plan.pk, draft.pk))
    rows = {pk: lock(CollectionPlan(pk=pk)) for pk in (first, second)}
    standing, written = rows[plan.pk], rows[draft.pk]
    if standing.code != written.code or written.status != PlanStatus.DRAFT:
        raise PlanError("no_amendment", plan=standing.code)
    check_amendment(written)
    same_tasks = rule_book(standing).targets == rule_book(written).targets
    step(standing, PlanStatus.AMENDED)
    step(written, PlanStatus.PUBLISHED)
    old = {name: getattr(standing, name) for name in _CONTENTS}
    new = {name: getattr(written, name) for name in _CONTENTS} | {"published_at": timezone.now()}
    CollectionPlan.objects.filter(pk=written.pk).update(version=_ASIDE)
    CollectionPlan.objects.filter(pk=standing.pk).update(**new, status=PlanStatus.PUBLISHED)
    CollectionPlan.objects.filter(pk=written.pk).update(**old, status=PlanStatus.AMENDED)
    # A task table the paper does not touch may have been set by the office: it stays with the row in force.
    for part in _PARTS if same_tasks else (*_PARTS, Target):
        _swap(part, standing.pk, written.pk)
    record(
        by=by, action="plan.take_effect", target_kind="plan", target=f"{standing.code} v{new['version']}",
        county_code=standing.county.code, detail={"amends": old["version"], "sha256": new["source_sha256"]},
    )  # fmt: skip
    return lock(standing)


def _swap(part: Any, one: int, other: int) -> None:
    """Exchange the parts of two plans; keys to plans are checked when the transaction ends."""
    part.objects.filter(plan=one).update(plan=-1)
    part.objects.filter(plan=other).update(plan=one)
    part.objects.filter(plan=-1).update(plan=other)
