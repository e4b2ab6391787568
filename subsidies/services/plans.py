"""Load plan files into tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from enrollment.models import CollectionPlan, PlanStatus, Stage, Target, Tier, Window
from enrollment.rules import FROZEN, IN_FORCE
from foundation.audit.services import record
from subsidies.models import Rule
from subsidies.queries import fixture_path, plan_from_file
from subsidies.rules.plan import Plan, RuleRow
from subsidies.rules.source import PlanError
from townships.models import County, Township


@dataclass(frozen=True)
class LoadResult:
    """What a load left in the tables; `changed` is False when the text was there already."""

    plan: CollectionPlan
    rules: int
    tiers: int
    changed: bool


def plan_file(path_or_code: str) -> Path:
    """A path as it is, a code as the file of the portal's own plans."""
    is_path = path_or_code.endswith((".yaml", ".yml")) or "/" in path_or_code
    return Path(path_or_code) if is_path else fixture_path(path_or_code)


@transaction.atomic
def load_plan(*, by: Any, path_or_code: str) -> LoadResult:
    """Create or update a draft from a plan file. Loading the same text again changes nothing.

    A text without a day of issue is provisional until the paper is loaded in its place. A version once published is
    frozen: another text under its number is refused. The next number beside a published one is its amendment. Raises
    PlanError for a file that does not hold, and for a county, township or parent plan that is not loaded.
    """
    return store_plan(by=by, book=plan_from_file(plan_file(path_or_code)))


@transaction.atomic
def store_plan(*, by: Any, book: Plan) -> LoadResult:
    """``load_plan`` for a text already read."""
    place = _place(book)
    versions = list(CollectionPlan.objects.select_for_update().filter(code=book.code).order_by("pk"))
    existing = next((each for each in versions if each.version == book.version), None)
    if existing is not None and existing.source_sha256 == book.sha256:
        return LoadResult(existing, existing.rules.count(), existing.tiers.count(), changed=False)
    if existing is not None and existing.status in FROZEN:
        raise PlanError("frozen", plan=book.code, version=book.version)
    _check_amendment(book, [each for each in versions if each is not existing], place["county"])
    plan, created = CollectionPlan.objects.update_or_create(
        code=book.code,
        version=book.version,
        defaults={
            **place,
            "name": book.name,
            "document_number": book.document_number,
            "issuer": book.issuer,
            "issued_on": book.issued_on,
            "coverage_year": book.coverage_year,
            "insurances": list(book.insurances),
            "collection_mode": book.collection_mode,
            "status": PlanStatus.DRAFT if book.issued_on else PlanStatus.PROVISIONAL,
            "settings": book.document.get("settings") or {},
            "document": {**book.document, "text": book.text},
            "examples": {},
            "source_sha256": book.sha256,
            "loaded_at": timezone.now(),
        },
    )
    tiers = write_parts(plan, book, place["county"])
    record(
        by=by, action="plan.load", target_kind="plan", target=f"{plan.code} v{plan.version}",
        county_code=place["county"].code,
        detail={"created": created, "rules": len(book.rules), "tiers": tiers, "sha256": book.sha256},
    )  # fmt: skip
    return LoadResult(plan, len(book.rules), tiers, changed=True)


def _full(code: str) -> str:
    return code.ljust(12, "0")


def _place(book: Plan) -> dict[str, Any]:
    county = County.objects.filter(code=_full(book.county)).first()
    if county is None:
        raise PlanError("unknown_county", code=book.county)
    township, parent = None, None
    if book.township:
        township = Township.objects.filter(county=county, code=_full(book.township)).first()
        if township is None:
            raise PlanError("unknown_township", code=book.township)
    if book.parent:
        parent = CollectionPlan.objects.in_force().filter(code=book.parent).first()
        if parent is None:
            raise PlanError("unknown_parent", code=book.parent)
    return {"county": county, "township": township, "parent": parent}


def _check_amendment(book: Plan, others: list[CollectionPlan], county: County) -> None:
    """A second version amends one that is in force, for the same county, year and insurances, and only one does."""
    standing = next((each for each in others if each.status in IN_FORCE), None)
    if standing is None:
        if others:
            raise PlanError("unpublished_version", plan=book.code, version=others[0].version)
        return
    written = next((each for each in others if each.status not in FROZEN), None)
    if standing.status == PlanStatus.CLOSED:
        raise PlanError("closed", plan=book.code)
    if book.version < standing.version:
        raise PlanError("older_version", plan=book.code, version=standing.version)
    if written is not None:
        raise PlanError("amendment_open", plan=book.code)
    if (standing.coverage_year, standing.county_id) != (book.coverage_year, county.pk):
        raise PlanError("amends_other_year", year=standing.coverage_year)
    if (standing.township.code if standing.township else "") != (
        _full(book.township) if book.township else ""
    ):
        raise PlanError("other_township")
    if missing := set(standing.insurances) - set(book.insurances):
        raise PlanError("insurance_not_in_plan", insurance=", ".join(sorted(missing)))


def write_parts(plan: CollectionPlan, book: Plan, county: County) -> int:
    """Replace the rows of a draft by those of its text."""
    for rows in (Tier, Window, Stage, Target, Rule):
        rows.objects.filter(plan=plan).delete()
    tiers = book.pension.tiers if book.pension else ()
    Tier.objects.bulk_create(
        Tier(
            plan=plan,
            amount=tier.amount,
            subsidy=tier.subsidy,
            restricted_to=sorted({code for group in tier.restricted.groups for code in group.categories})
            if tier.restricted
            else [],
            clause=tier.clause.text,
            lines=tier.clause.lines,
        )
        for tier in tiers
    )
    Window.objects.bulk_create(
        Window(
            plan=plan,
            insurance=window.insurance,
            kind=window.kind,
            opens_on=window.opens,
            closes_on=window.closes,
            clause=window.clause.text,
            lines=window.clause.lines,
        )
        for window in book.windows
    )
    Stage.objects.bulk_create(
        Stage(
            plan=plan,
            kind=stage.kind,
            name=stage.name,
            starts_on=stage.starts,
            ends_on=stage.ends,
            clause=stage.clause.text,
            lines=stage.clause.lines,
        )
        for stage in book.stages
    )
    _write_targets(plan, book, county)
    Rule.objects.bulk_create(_rule(plan, rule) for rule in book.rules)
    return len(tiers)


def _write_targets(plan: CollectionPlan, book: Plan, county: County) -> None:
    if book.targets is None:
        return
    townships = {township.code: township for township in Township.objects.filter(county=county)}
    rows = []
    for row in (*book.targets.rows, *([book.targets.printed] if book.targets.printed else [])):
        township = townships.get(_full(row.township)) if row.township else None
        if row.township and township is None:
            raise PlanError("unknown_township", code=row.township)
        rows += [
            Target(
                plan=plan,
                township=township,
                insurance=insurance,
                headcount=heads,
                villages=row.villages,
                note=row.note,
                clause=book.targets.clause.text,
                lines=book.targets.clause.lines,
            )
            for insurance, heads in row.heads
        ]
    Target.objects.bulk_create(rows)


def _rule(plan: CollectionPlan, rule: RuleRow) -> Rule:
    return Rule(
        plan=plan,
        code=rule.code,
        insurance=rule.insurance,
        kind=rule.kind,
        position=rule.position,
        name=rule.name,
        condition=dict(rule.condition),
        effect=dict(rule.effect),
        shares=[{"payer": payer, "share": share} for payer, share in rule.shares],
        clause=rule.clause.text,
        lines=rule.clause.lines,
    )
