"""The named cast of the tests: one county, two townships, their villages, and people at their posts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from django.contrib.auth.hashers import make_password

from enrollment.models import CollectionPlan, Household, Registration, Resident
from foundation.encryption import get_keyring
from foundation.identity import make_number
from foundation.pinyin import initials
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from townships.models import Agency, AgencyKind, CollectingUnit, County, Role, Township, User, Village


@dataclass
class Cast:
    """A small county: 甲镇 with 东村 and 西村, 乙镇 with 南村; everybody's post."""

    county: County
    jia: Township
    yi: Township
    dong: CollectingUnit
    xi: CollectingUnit
    nan: CollectingUnit
    users: dict[str, User] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        """The whole county."""
        return Places(frozenset({self.jia.pk, self.yi.pk}))

    def user(self, role: str) -> User:
        """The holder of a post; scope as for the post (clerk: 甲镇, agent: 东村)."""
        return self.users[role]


@lru_cache
def password_hash() -> str:
    """The hash of everybody's password ``test-password-1``, made once: hashing is slow on purpose."""
    return make_password("test-password-1")


def make_cast() -> Cast:
    """Create the cast with users of every role; password ``test-password-1``."""
    county = County.objects.create(
        code="370406000000", name="山亭区", short_name="山亭", kind=County.DISTRICT
    )
    jia = Township.objects.create(
        county=county, code="370406901000", name="甲镇", short_name="甲", position=1
    )
    yi = Township.objects.create(county=county, code="370406902000", name="乙镇", short_name="乙", position=2)
    units = []
    for i, (township, name) in enumerate([(jia, "东村"), (jia, "西村"), (yi, "南村")], start=1):
        village = Village.objects.create(
            township=township,
            code=f"{township.code[:9]}{200 + i}",
            name=f"{name}村委会",
            short_name=name,
            position=i,
        )
        units.append(
            CollectingUnit.objects.create(
                code=village.code, name=name, township=township, village=village, position=i
            )
        )
    cast = Cast(county, jia, yi, units[0], units[1], units[2])
    agency = Agency.objects.create(county=county, kind=AgencyKind.CIVIL_AFFAIRS, name="山亭区民政局")
    for role in Role:
        user = User.objects.create(
            username=role.value,
            password=password_hash(),
            role=role,
            county=county,
            display_name=str(role.label),
        )
        if role == Role.TOWNSHIP_CLERK:
            user.townships.add(jia)
        if role == Role.VILLAGE_AGENT:
            user.units.add(cast.dong)
        if role == Role.DEPARTMENT:
            user.agency = agency
            user.save()
        cast.users[role.value] = user
    outsider = User.objects.create(
        username="clerk_yi",
        password=password_hash(),
        role=Role.TOWNSHIP_CLERK,
        county=county,
        display_name="乙镇经办",
    )
    outsider.townships.add(yi)
    cast.users["clerk_yi"] = outsider
    return cast


_sequence = iter(range(1, 10**6))


def make_household(
    cast: Cast, unit: CollectingUnit, *, number: str = "", group: str = "1组", head: str = ""
) -> Household:
    """A household of a unit."""
    n = next(_sequence)
    assert unit.village is not None
    with places_scope(cast.places):
        return Household.objects.create(
            township_id=unit.township_id, unit=unit, village=unit.village,
            number=number or f"{n:05d}", group_name=group, house_number=str(n), head_name=head, walk=n,
        )  # fmt: skip


def make_resident(cast: Cast, unit: CollectingUnit, **values: Any) -> Resident:
    """A resident of a unit with a valid synthetic number (``number`` gives a chosen one, None none)."""
    n = next(_sequence)
    birth = values.pop("birth_date", date(1985, 5, 5))
    number = values.pop("number", make_number("370406", birth, n % 999 + 1))
    name = values.pop("name", f"张测{'甲乙丙丁'[n % 4]}")
    keys = get_keyring()
    household = values.pop("household", None) or make_household(cast, unit, head=name)
    encrypted = keys.encrypt(number) if number else None
    assert unit.village is not None
    with places_scope(cast.places):
        return Resident.objects.create(
            county_id=cast.county.pk, township_id=unit.township_id, unit=unit, village=unit.village,
            household=household, name=name, initials=initials(name), birth_date=birth,
            number_encrypted=encrypted, number_index=keys.blind_index(number) if number else None,
            tail_index=keys.tail_index(cast.county.code, number[-4:]) if number else None, **values,
        )  # fmt: skip


def make_registration(
    cast: Cast, resident: Resident, plan: CollectionPlan, insurance: str = "medical", tier: Any = None
) -> Registration:
    """A registration of the plan's coverage year at the resident's place."""
    with places_scope(cast.places):
        return Registration.objects.create(
            township_id=resident.township_id, unit_id=resident.unit_id, village_id=resident.village_id,
            resident=resident, plan=plan, insurance=insurance, coverage_year=plan.coverage_year, tier=tier,
        )  # fmt: skip
