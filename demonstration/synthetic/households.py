"""Households with the structure of a village's: couples, children, grandparents under one roof, head first.

Ages are completed years on the county's reference date. The proportions are tuned so that about 17 % are 60
or older and about 7 % are 70 or older, as in a registered rural population; tests hold the bands.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from demonstration.synthetic.model import CountySpec, Couple, Household, Person
from demonstration.synthetic.people import Names, Numbers, phone

MOST_MEMBERS = 7

# Age of the couple a household stands on: (from, to, weight).
_CORE = ((22, 30, 9), (30, 40, 24), (40, 50, 21), (50, 60, 26), (60, 70, 14.5), (70, 80, 9.5), (80, 92, 3))
_CORE_STEPS = list(accumulate(weight for _low, _high, weight in _CORE))
_SURVIVAL = ((60, 0.99), (65, 0.94), (70, 0.86), (75, 0.72), (80, 0.52), (85, 0.30), (90, 0.12), (200, 0.03))


def _alive(rng: Random, age: int) -> bool:
    return rng.random() < next(share for limit, share in _SURVIVAL if age < limit)


def _core_age(rng: Random) -> int:
    low, high, _weight = _CORE[bisect(_CORE_STEPS, rng.random() * _CORE_STEPS[-1])]
    return low + int(rng.random() * (high - low))


def _child_count(rng: Random) -> int:
    draw = rng.random()
    return 0 if draw < 0.05 else 1 if draw < 0.38 else 2 if draw < 0.88 else 3 if draw < 0.98 else 4


def _marriage_gap(rng: Random) -> int:
    return int(rng.gauss(1.3, 1.8))


class HouseholdMaker:
    """Makes households of one county, one after the other. Everything random comes from the `Random` handed
    in."""

    def __init__(self, spec: CountySpec) -> None:
        self.spec = spec
        self.names = Names()
        self.numbers = Numbers()
        self._year = spec.reference_date.year

    def birth_date(self, rng: Random, age: int) -> date:
        """A day that makes somebody `age` on 31 December; newborns arrived before the county's day."""
        year = self._year - age
        days = 365
        if age == 0:
            days = min(365, max(1, (self.spec.as_of - date(year, 1, 1)).days - 20))
        return date(year, 1, 1) + timedelta(days=int(rng.random() * days))

    def _prefix(self, rng: Random, birth: date, kind: str, married_in: bool) -> str:
        spec = self.spec
        if kind == "outside":
            return spec.outside_prefixes[int(rng.random() * len(spec.outside_prefixes))]
        if kind == "same_city_other_county" and spec.neighbour_prefixes:
            return spec.neighbour_prefixes[0]
        draw = rng.random()
        if spec.neighbour_prefixes and draw < (0.10 if married_in else 0.01):
            return spec.neighbour_prefixes[int(rng.random() * len(spec.neighbour_prefixes))]
        if spec.older_prefixes and birth.year < 1984 and draw > 0.96:
            return spec.older_prefixes[int(rng.random() * len(spec.older_prefixes))]
        return spec.code

    def person(
        self,
        rng: Random,
        surname: str,
        sex: str,
        age: int,
        relation: str,
        kind: str,
        married_in: bool = False,
    ) -> Person:
        birth = self.birth_date(rng, age)
        prefix = self._prefix(rng, birth, kind, married_in)
        person = Person(
            name=self.names.person(rng, surname, sex, birth.year),
            sex=sex,
            birth_date=birth,
            number="",
            relation=relation,
            age=age,
        )
        if age == 0 and rng.random() < 0.8:
            person.id_kind = "birth_certificate"
            person.number = self.numbers.birth_certificate(rng, prefix)
        else:
            person.number = self.numbers.issue(prefix, birth, sex)
        if kind != "local":
            person.permit = "parent" if age < 18 else "true"
        person.school = _school(rng, age)
        if 22 <= age < 60 and person.school is None:
            _employ(rng, person, self.spec.as_of)
        person.is_new = age == 0 or rng.random() < 0.008
        return person

    # -- households

    def make(self, rng: Random, clan: str | None) -> Household:
        """One household, head first, at most seven people.

        Its number, group and address come with its village.
        """
        draw = rng.random()
        kind = "outside" if draw < 0.005 else "same_city_other_county" if draw < 0.008 else "local"
        surname = clan if clan and rng.random() < 0.45 else self.names.surname(rng)
        household = Household(number="", members=[], registration_kind=kind)
        _Door(self, rng, household, surname).fill()
        del household.members[MOST_MEMBERS:]
        kept = {id(member) for member in household.members}
        household.couples = [c for c in household.couples if id(c.husband) in kept and id(c.wife) in kept]
        _phones(rng, household)
        return household

    def departed(self, rng: Random, died: bool) -> Person:
        """Somebody who paid last year and is no longer in the registration data: dead, or moved away."""
        age = 48 + int(rng.random() * 45) if died else 20 + int(rng.random() * 35)
        sex = "male" if rng.random() < 0.5 else "female"
        person = self.person(rng, self.names.surname(rng), sex, age, "", "local")
        person.registered = False
        if died:
            span = max(1, (self.spec.as_of - date(self.spec.as_of.year, 1, 1)).days)
            person.death_date = date(self.spec.as_of.year, 1, 1) + timedelta(days=int(rng.random() * span))
        return person


@dataclass(slots=True)
class _Door:
    """One household being filled: the couple it stands on, their children, a son's family, parents."""

    maker: HouseholdMaker
    rng: Random
    household: Household
    surname: str

    def join(self, sex: str, age: int, relation: str, *, married_in: bool = False) -> Person:
        """Add a member; whoever married in has a surname of their own."""
        surname = self.maker.names.surname(self.rng) if married_in else self.surname
        person = self.maker.person(
            self.rng, surname, sex, age, relation, self.household.registration_kind, married_in
        )
        self.household.members.append(person)
        return person

    def fill(self) -> None:
        rng = self.rng
        age = _core_age(rng)
        wife_age = max(20, age - _marriage_gap(rng))
        single = rng.random()
        husband = wife = None
        if single >= 0.05 and _alive(rng, age):
            husband = self.join("male", age, "户主")
        if husband is None or (single > 0.10 and _alive(rng, wife_age)):
            wife = self.join("female", wife_age, "妻" if husband else "户主", married_in=True)
        if husband and wife:
            self.household.couples.append(Couple(husband, wife))
        ages = _children(rng, wife_age) if wife or rng.random() < 0.5 else []
        self.children(ages, married_son=age >= 46 and rng.random() < 0.5)
        if 26 <= age < 58 and rng.random() < 0.26:
            self.parents(age)
        elif age >= 62 and rng.random() < 0.05:
            # Grandparents who bring up a grandchild alone.
            self.grandchild(3 + int(rng.random() * 13))

    def children(self, ages: list[int], *, married_son: bool) -> None:
        """Children at home, and one grown son with his family where there is one."""
        rng = self.rng
        count = {"male": 0, "female": 0}
        for age in ages:
            sex = "male" if rng.random() < 0.52 else "female"
            title = ("长", "次", "三", "四")[count[sex]] + ("子" if sex == "male" else "女")
            count[sex] += 1
            if age <= 21:
                self.join(sex, age, title)
            elif sex == "male" and married_son and 23 <= age <= 45:
                married_son = False
                self.sons_family(age, title)
            elif rng.random() < (0.22 if sex == "male" and age < 34 else 0.08 if age < 28 else 0.0):
                self.join(sex, age, title)

    def sons_family(self, age: int, title: str) -> None:
        wife_age = max(20, age - _marriage_gap(self.rng))
        son = self.join("male", age, title)
        self.household.couples.append(Couple(son, self.join("female", wife_age, "儿媳", married_in=True)))
        for grandchild in _children(self.rng, wife_age):
            if grandchild <= 21:
                self.grandchild(grandchild)

    def grandchild(self, age: int) -> None:
        boy = self.rng.random() < 0.52
        self.join("male" if boy else "female", age, "孙子" if boy else "孙女")

    def parents(self, age: int) -> None:
        mother_age = age + 21 + int(self.rng.random() * 8)
        father_age = mother_age + max(0, _marriage_gap(self.rng))
        father = self.join("male", father_age, "父亲") if _alive(self.rng, father_age) else None
        mother = None
        if _alive(self.rng, mother_age):
            mother = self.join("female", mother_age, "母亲", married_in=True)
        if father and mother:
            self.household.couples.append(Couple(father, mother))


def _phones(rng: Random, household: Household) -> None:
    shared = phone(rng)
    for member in household.members:
        own = 16 <= member.age < 76 and rng.random() < 0.8
        member.phone = phone(rng) if own else shared
    if rng.random() < 0.02:
        for member in household.members:
            member.phone = ""


def _children(rng: Random, mother_age: int) -> list[int]:
    """Ages of a mother's children, eldest first; those not born yet are left out."""
    ages = []
    at_birth = 21 + int(abs(rng.gauss(2.6, 2.4)))
    for _child in range(_child_count(rng)):
        age = mother_age - at_birth
        if age < 0:
            break
        ages.append(age)
        at_birth += 2 + int(rng.random() * 5)
    return ages


def _school(rng: Random, age: int) -> str | None:
    draw = rng.random()
    if 6 <= age < 15:
        return "primary" if draw < 0.995 else None
    if 15 <= age < 18:
        return "senior_high" if draw < 0.62 else "vocational" if draw < 0.90 else None
    if 18 <= age < 22:
        return "university" if draw < 0.30 else "technician_college" if draw < 0.38 else None
    return "postgraduate" if age < 26 and draw < 0.01 else None


def _employ(rng: Random, person: Person, as_of: date) -> None:
    """Some work for an employer and are insured there: most have left the registration data long ago, a few
    are still in it because they found the job this year."""
    share = 0.14 if person.sex == "male" else 0.09
    if person.age >= 50:
        share *= 0.6
    draw = rng.random()
    if draw < share:
        person.registered = False
        person.employee_since = date(as_of.year - 1 - int(rng.random() * 10), 1 + int(rng.random() * 12), 1)
    elif draw < share + 0.004:
        person.employee_since = date(as_of.year, 1 + int(rng.random() * max(1, as_of.month - 1)), 1)
