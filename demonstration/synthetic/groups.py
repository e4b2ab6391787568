"""Who belongs to which special group: the marks that departments will certify.

Poverty marks go by household, disability, veterans' and children's marks by person, family-planning marks by
the children actually there. Only categories the plan names are given, by the codes of the worked examples.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from demonstration.synthetic.model import CountySpec, Couple, Household, Person, Village

Mark = Callable[[Person, str], None]

# Upper bounds of one draw per household.
_POVERTY = (
    (0.020, "dibao"),
    (0.030, "dibao_edge"),
    (0.036, "monitored"),
    (0.0375, "fanpin"),
    (0.047, "registered_poor_not_out"),
    (0.062, "registered_poor_out"),
    (0.072, "out_of_poverty_still_enjoying"),
)


def mark_groups(rng: Random, spec: CountySpec, village: Village) -> None:
    """Give the people of a village their categories (sorted codes) and disability grades."""
    named = frozenset(spec.categories)
    for household in village.households:
        marks: dict[int, set[str]] = {}

        def mark(person: Person, code: str, marks: dict[int, set[str]] = marks) -> None:
            if code in named and person.registered:
                marks.setdefault(id(person), set()).add(code)

        _poverty(rng, household, mark)
        for person in household.members:
            _personal(rng, household, person, mark)
        for couple in household.couples:
            _family(rng, household, couple, mark)
        for person in household.members:
            codes = marks.get(id(person))
            if codes:
                person.categories = tuple(sorted(codes))
            if not codes or "disabled" not in codes:
                person.disability_grade = None


def _poverty(rng: Random, household: Household, mark: Mark) -> None:
    draw = rng.random()
    relief = rng.random()
    if household.registration_kind != "local":
        return
    code = next((code for bound, code in _POVERTY if draw < bound), None)
    for person in household.members:
        if code:
            mark(person, code)
        if relief < (0.40 if code == "dibao" else 0.018):
            mark(person, "fupin")


def _personal(rng: Random, household: Household, person: Person, mark: Mark) -> None:
    disabled, ground, extra = rng.random(), rng.random(), rng.random()
    if disabled < (0.008 if person.age < 30 else 0.022 if person.age < 60 else 0.055):
        person.disability_grade = 1 if ground < 0.12 else 2 if ground < 0.37 else 3 if ground < 0.67 else 4
        mark(person, "disabled")
    alone = len(household.members) == 1
    if alone and person.age >= 60 and extra < 0.16:
        mark(person, "tekun")
    if person.sex == "male" and person.age >= 50 and 0.5 < extra < 0.518:
        mark(person, "youfu")
        if extra < 0.509:
            mark(person, "youfu_regular_allowance")
    if person.age < 18:
        parents = any(other.age >= person.age + 18 and other.age < 60 for other in household.members)
        if not parents:
            mark(person, "orphan" if extra < 0.2 else "defacto_unsupported_child")
        elif extra > 0.9985:
            mark(person, "key_child_in_difficulty")
    if 0.300 < extra < 0.302:
        mark(person, "illness_hardship_approved" if ground < 0.7 else "illness_hardship_unapproved")
    if extra < (0.5 if person.age >= 80 else 0.12 if person.age >= 70 else 0.0):
        mark(person, "old_age_allowance")


def _family(rng: Random, household: Household, couple: Couple, mark: Mark) -> None:
    """Family-planning kind of a couple by its children at home, and the marks that come from it."""
    draw = rng.random()
    if couple.wife.age < 38 or couple.wife.relation == "母亲":
        return
    titles = ("孙子", "孙女") if couple.wife.relation == "儿媳" else ("子", "女")
    children = [m for m in household.members if m.relation.endswith(titles) and m.age < couple.wife.age - 15]
    girls = all(child.sex == "female" for child in children)
    if len(children) == 1 and draw < 0.45:
        couple.kind = "only_child"
        code = "rural_one_daughter" if girls else "only_child_loss" if draw < 0.012 else ""
    elif len(children) == 2 and girls:
        couple.kind = "two_daughters_sterilised" if draw < 0.55 else "two_daughters_not_sterilised"
        couple.lawful_birth = draw < 0.9
        code = "rural_two_daughters"
    else:
        return
    if code:
        for person in (couple.husband, couple.wife, *children):
            mark(person, code)
