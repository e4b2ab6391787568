"""The people of a synthetic county, village by village, the same for the same seed.

Each village has its own random stream (seed and village code), so that a county of any size can be streamed
with one village in memory. ID numbers are issued in order over the county, which is why villages come in a
fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from heapq import nlargest
from random import Random

from demonstration.synthetic.groups import mark_groups
from demonstration.synthetic.households import HouseholdMaker
from demonstration.synthetic.model import (
    PENSION,
    CountySpec,
    Household,
    Person,
    Population,
    TownshipSpec,
    Village,
    VillageSpec,
)
from demonstration.synthetic.spec import load_spec, share_out

_FEWEST_IN_VILLAGE = 45
_GROUP_SIZE = 130
_GONE_SHARE = 0.012


def village_sizes(spec: CountySpec, residents: int, seed: int) -> list[tuple[TownshipSpec, VillageSpec, int]]:
    """Registered people per village, adding up to `residents`.

    Townships weigh as the plan's medical headcounts, villages of a township are log-normal. A small county
    uses fewer villages rather than villages of three people.
    """
    sizes = []
    heads = share_out(residents, [township.medical for township in spec.townships])
    for township, total in zip(spec.townships, heads, strict=True):
        rng = Random(f"{seed}/{township.code}/sizes")
        used = township.villages[: max(1, min(len(township.villages), total // _FEWEST_IN_VILLAGE))]
        weights = [rng.lognormvariate(0.0, 0.45) for _village in used]
        sizes += [
            (township, village, size) for village, size in zip(used, share_out(total, weights), strict=True)
        ]
    return sizes


def iter_villages(spec: CountySpec, residents: int, seed: int) -> Iterator[Village]:
    """Yield the county's villages with all their people, in the order of the divisions."""
    maker = HouseholdMaker(spec)
    done: dict[str, int] = {}
    owed: dict[str, int] = {}
    for township, village_spec, size in village_sizes(spec, residents, seed):
        rng = Random(f"{seed}/{village_spec.code}")
        village = Village(township, village_spec, size, _households(rng, maker, village_spec, size))
        _place(rng, maker, village)
        mark_groups(rng, spec, village)
        done[township.code] = done.get(township.code, 0) + size
        wanted = round(done[township.code] * township.pension_share) - owed.get(township.code, 0)
        if PENSION in spec.insurances:
            owed[township.code] = owed.get(township.code, 0) + _join_pension(rng, spec, village, wanted)
        _bury(rng, spec, village)
        gone = size * _GONE_SHARE + rng.random()
        village.departed = [maker.departed(rng, died=index % 2 == 0) for index in range(int(gone))]
        yield village


def generate(
    county: str = "370406",
    residents: int = 600,
    seed: int = 1,
    *,
    plan: str | None = None,
    as_of: date | None = None,
) -> Population:
    """Make a whole county in memory: exactly `residents` registered people, the same for the same arguments.

    Raises `UnknownCountyError` for a county or plan nobody knows. For more than some hundred thousand
    people use `iter_villages`, which holds one village at a time.
    """
    spec = load_spec(county, plan, as_of)
    return Population(spec, seed, list(iter_villages(spec, residents, seed)))


def _households(rng: Random, maker: HouseholdMaker, village: VillageSpec, size: int) -> list[Household]:
    clan = maker.names.clan(village.short)
    households: list[Household] = []
    left = size
    while left > 0:
        household = maker.make(rng, clan)
        registered = [member for member in household.members if member.registered]
        if len(registered) > left:
            # The village is full: whoever is one too many was never written down anywhere.
            dropped = {id(member) for member in registered[left:]}
            household.members = [member for member in household.members if id(member) not in dropped]
            household.couples = [c for c in household.couples if not {id(c.husband), id(c.wife)} & dropped]
        left -= min(left, len(registered))
        households.append(household)
    return households


def _place(rng: Random, maker: HouseholdMaker, village: Village) -> None:
    """Give households their group, number, house and address, in walking order."""
    groups = max(1, min(14, round(village.size / _GROUP_SIZE)))
    per_group = max(1, -(-len(village.households) // groups))
    where = f"{maker.spec.full_name}{village.township.name}{village.spec.short}"
    for index, household in enumerate(village.households):
        household.number = f"{village.spec.code}{index + 1:04d}"
        household.group = f"{index // per_group + 1}组"
        household.house_number = f"{index + 1}号"
        household.address = f"{where}{household.house_number}"
        household.eagerness = rng.random()
        if rng.random() < 0.22:
            household.nickname = maker.names.nickname(rng)


def _join_pension(rng: Random, spec: CountySpec, village: Village, wanted: int) -> int:
    """Choose who is registered for the pension and their tiers; return how many of the quota were found.

    Eligible are people of 16 to 59, not in school, not employed; the older, the likelier. On top of the
    quota come a few who should not be in the list (in school, over 60, tier 100 without a ground), as real
    lists have them.
    """
    eligible: list[tuple[float, int, Person]] = []
    for order, (_household, person) in enumerate(village.people()):
        if not person.registered or person.age < 16 or person.number[:1].isalpha():
            continue
        draw = rng.random()
        if person.age < 60 and not person.in_school and person.employee_since is None:
            weight = 5.0 if person.age >= 45 else 1.4 if person.age >= 30 else 0.5
            eligible.append((draw ** (1 / weight), order, person))
        elif (person.in_school and draw < 0.012) or (60 <= person.age < 66 and draw < 0.012):
            person.tier = _tier(rng, spec, person)
    chosen = nlargest(max(0, wanted), eligible, key=lambda entry: entry[:2])
    for _key, _order, person in chosen:
        person.tier = _tier(rng, spec, person)
        person.is_new = person.is_new or person.age == 16
    return len(chosen)


def _tier(rng: Random, spec: CountySpec, person: Person) -> int:
    draw = rng.random()
    if spec.tier_100_categories & set(person.categories) and draw < 0.7:
        return spec.tiers[0]
    if draw > 0.9985:
        return spec.tiers[0]  # no ground for the lowest tier: to be refused
    if draw < 0.80:
        return spec.tiers[1]
    return spec.tiers[2 + int(((draw - 0.80) / 0.1985) ** 2 * (len(spec.tiers) - 2))]


def _bury(rng: Random, spec: CountySpec, village: Village) -> None:
    """Some died this year; the registration data has not heard of all of it."""
    span = max(1, (spec.as_of - date(spec.as_of.year, 1, 1)).days)
    for _household, person in village.people():
        risk = 0.0001 if person.age < 50 else 0.001 if person.age < 70 else 0.009
        if rng.random() < risk and person.registered:
            died = date(spec.as_of.year, 1, 1) + timedelta(days=int(rng.random() * span))
            person.death_date = max(died, person.birth_date)
