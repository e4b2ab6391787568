"""By what somebody else might pay for a person: every group and rule that fits him, in the order they are tried.

The evaluator takes one waiver, the one that leaves the least to pay. Whoever belongs to several groups has a claim by
each; this relation names them all, over the same facts and by the same conditions, so that a list can say which one
was taken, which ones were not, and which office certified it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from .conditions import Condition, Context, Group, text_literal
from .contribution import paid_rules
from .facts import FACT_COLUMNS
from .plan import Medical, PersonList, Plan, Supplier
from .premium import choices
from .reasons import context_of
from .settings import Settings

ELDERLY_LISTED: Final = "elderly_listed"
"""The group of those whom a department's list names as elderly (`lists.elderly_source`)."""


@dataclass(frozen=True)
class Claim:
    """A rule with one of its groups, or a rule by age; the list it is on and the office that certifies it."""

    rule: str
    group: Group | None
    list: PersonList | None
    supplier: Supplier | None
    test: str

    @property
    def computed(self) -> bool:
        """Known from the birth date: no office has to name the person."""
        return self.group is None


def medical_limits(
    plan: Plan, medical: Medical, settings: Settings, context: Context
) -> tuple[list[str], list[str]]:
    """SQL of what else a medical waiver asks for: of children of families, and of everybody."""
    limits = []
    if routes := settings.codes("medical.waiver_channels") or medical.waiver_routes:
        limits.append(Condition(route=routes).sql(context) + " IS NOT FALSE")
    if settings.flag("waiver.requires_local_registration"):
        limits.append(Condition(household_registration=("local",)).sql(context))
    oldest = settings.whole("medical.family_child_max_age")
    of_age = context.age.at_most("f.birth_date", oldest) if oldest is not None else ""
    return [f"(f.family_kind IS NOT NULL OR {of_age})"] if of_age else [], limits


@lru_cache(maxsize=64)
def claims(plan: Plan, insurance: str) -> tuple[Claim, ...]:
    """The claims of an insurance in the order they are tried; within a rule in the order of its groups."""
    settings = plan.settings
    context = context_of(plan, insurance, settings)
    found: list[Claim] = []
    for rule, condition, more in _tried(plan, insurance, settings, context):
        parts: Sequence[tuple[Group | None, Condition]] = [
            (group, replace(condition, groups=(group,))) for group in condition.groups
        ] or [(None, condition)]
        for group, part in parts:
            of = plan.list_of(rule)
            test = " AND ".join([part.sql(context), *more])
            found.append(Claim(rule, group, of, _supplier(of, rule, group), test))
    return tuple(found)


def _tried(
    plan: Plan, insurance: str, settings: Settings, context: Context
) -> Sequence[tuple[str, Condition, list[str]]]:
    if insurance == "pension":
        pension = plan.contribution()
        return [(each.code, each.condition, []) for each in paid_rules(plan, pension, settings)]
    medical = plan.premium()
    child, limits = medical_limits(plan, medical, settings, context)
    return [
        (each.code, each.condition, [*(child if each.children_limited else ()), *limits])
        for each in choices(plan, medical, settings)
        if not each.refer
    ]


def certified_since(plan: Plan, settings: Settings) -> str:
    """SQL: the day from which others pay all of a registered person's part, by list or by birth date.

    The earliest of the waivers that leave nothing to pay, not before the registration; NULL for everybody else, and for
    whoever's registration day is unknown. Empty where the plan has no such waiver.
    """
    context = context_of(plan, "medical", settings)
    child, limits = medical_limits(plan, plan.premium(), settings, context)
    days = []
    for choice in choices(plan, plan.premium(), settings):
        if choice.refer or choice.personal:
            continue
        more = [*(child if choice.children_limited else ()), *limits]
        if not choice.condition.groups:
            tests = " AND ".join([choice.condition.sql(context), *more])
            days.append(f"CASE WHEN {tests} THEN {_not_before_registration('f.birth_date')} END")
        for group in choice.condition.groups:
            tests = " AND ".join([replace(choice.condition, groups=(group,)).sql(context), *more])
            certified = ", ".join(
                f"(f.certified ->> {text_literal(code)})::date" for code in group.categories
            )
            days.append(f"CASE WHEN {tests} THEN {_not_before_registration(f'LEAST({certified})')} END")
    return f"LEAST({', '.join(days)})" if days else ""


def _not_before_registration(day: str) -> str:
    """SQL: the later of a day and the registration, NULL where either is; no sub-select, which a county pays a row."""
    return f"{day} + GREATEST(f.registered_on - {day}, CASE WHEN f.registered_on IS NOT NULL THEN 0 END)"


def _supplier(of: PersonList | None, rule: str, group: Group | None) -> Supplier | None:
    """The office that certifies; for a rule by age the one that computes it."""
    if of is None:
        return None
    for supplier in of.suppliers:
        if (group is None and rule in supplier.computed) or (
            group is not None and any(each.name == group.name for each in supplier.groups)
        ):
            return supplier
    return None


def claims_sql(plan: Plan, insurance: str, *, facts: str = "facts") -> str:
    """SQL: `subject` and `claims`, the places (from 1) of all claims of `claims(plan, insurance)` that fit.

    `facts` is a relation with FACT_COLUMNS, as for the evaluator.
    """
    known: Mapping[str, str] = {"categories": "COALESCE(r.categories, '{}'::text[])"}
    columns = ", ".join(f"{known.get(name, f'r.{name}')} AS {name}" for name in FACT_COLUMNS)
    tests = ", ".join(
        f"CASE WHEN {claim.test} THEN {place} END"
        for place, claim in enumerate(claims(plan, insurance), start=1)
    )
    held = f"array_remove(ARRAY[{tests}]::int[], NULL)" if tests else "'{}'::int[]"
    return f"SELECT f.subject, {held} AS claims FROM (SELECT {columns} FROM {facts} r OFFSET 0) f"


def categories_of(plan: Plan, insurances: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Category codes by which somebody has a claim, with the grades that count (none: any)."""
    found: dict[str, set[int] | None] = {}
    for insurance in insurances:
        severe = plan.settings.grades("medical.severe_grades")
        for claim in claims(plan, insurance):
            for code in claim.group.categories if claim.group else ():
                grades = (
                    severe
                    if claim.group and claim.group.severe
                    else (claim.group.grades if claim.group else ())
                )
                if not grades or (code in found and found[code] is None):
                    found[code] = None
                else:
                    known = found.get(code) or set()
                    found[code] = known | set(grades)
    return {code: tuple(sorted(grades or ())) for code, grades in found.items()}
