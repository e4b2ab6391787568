"""Post a grant list in the villages: the plan prints that it hangs, name and kind of grant are all it shows.

1. The plan must say that grant lists are posted (an entry of ``publicity`` of the kind ``grant_list``).
2. Whoever the government pays for by that list today, by the one query of the departments' lists, is taken down unit by
   unit in walking order: group, name, kind of grant. A person below 18 counts and is not named.
3. What was taken down is sealed by a digest: the paper printed again next week says the same.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.funding.standing import Asked, Standing, find_people, offices_of
from enrollment.models import CollectionPlan, Insurance, Resident
from foundation.clock.services import business_date
from foundation.documents import PostedColumn, PostedListData, posted_list
from foundation.http import Problem
from notices.models import GrantPosting
from notices.services.postings import DAYS, committee_of, complaint_phone, record_posting
from subsidies.queries import rule_book
from subsidies.rules.plan import PersonList
from townships.models import CollectingUnit, Township

ADULT: Final = 18
# A child on the list: counted, never named.
NAMELESS: Final = "＊"
_KINDS: Final = {"assistance": gettext_lazy("资助"), "government_paid": gettext_lazy("代缴")}


def posted_lists(plan: CollectionPlan) -> list[PersonList]:
    """The plan's lists, where it prints that grant lists are posted; else none."""
    return list(rule_book(plan).lists) if _publicity(plan) is not None else []


def _publicity(plan: CollectionPlan) -> dict[str, Any] | None:
    entries = plan.document.get("publicity") or []
    return next((each for each in entries if each.get("kind") == "grant_list"), None)


def grant_days(plan: CollectionPlan, today: date) -> tuple[date, date]:
    """First and last day: the plan's days, posting day not counted (X17); seven where it prints none."""
    printed = str((_publicity(plan) or {}).get("days") or "")
    days = int(printed) if printed.isdigit() else DAYS
    return today, today + timedelta(days=days)


@transaction.atomic
def create_grant_postings(
    *, by: Any, plan: CollectionPlan, township: Township, list_code: str, place: str = ""
) -> list[GrantPosting]:
    """Take a list down for every unit of a township that has somebody on it; units that have theirs keep it.

    Raises Problem 400 where the plan does not post grant lists or has none of this code.
    """
    wanted = next((each for each in posted_lists(plan) if each.code == list_code), None)
    if wanted is None:
        raise Problem(400, "not_posted", _("这个方案没有写要公示资助名单，或者没有这份名单。"))
    today = business_date(plan.county.code)
    first, last = grant_days(plan, today)
    taken = set(
        GrantPosting.objects.filter(plan=plan, list_code=list_code, township=township).values_list(
            "unit_id", flat=True
        )
    )
    made = []
    for unit, entries in _entries(plan, township, wanted, today).items():
        if unit in taken:
            continue
        posting = GrantPosting.objects.create(
            township=township, unit_id=unit, plan=plan, list_code=wanted.code, list_name=wanted.name, as_of=today,
            entries=entries, heads=len(entries), digest=digest_of(entries), opens_on=first, closes_on=last,
            place=place.strip(), created_by=by,
        )  # fmt: skip
        record_posting(
            by, posting, "posting.create", {"opens_on": first, "closes_on": last, "heads": len(entries)}
        )
        made.append(posting)
    return made


def digest_of(entries: list[list[str]]) -> str:
    """SHA-256 over the lines as posted."""
    return hashlib.sha256(json.dumps(entries, ensure_ascii=False).encode()).hexdigest()


def _entries(
    plan: CollectionPlan, township: Township, wanted: PersonList, today: date
) -> dict[int, list[list[str]]]:
    """By unit, the lines of a list in walking order; a person of both insurances is one line."""
    book = rule_book(plan)
    offices = offices_of(book)
    own = {office.index for office in offices if office.list is not None and office.list.code == wanted.code}
    kinds: dict[int, list[str]] = {}
    units: dict[int, int] = {}
    for insurance in plan.insurances:
        asked = Asked(
            plan=plan, book=book, insurance=insurance, townships=(township.pk,), on=today, offices=offices
        )
        for person in find_people(asked, standings=(Standing.TAKEN,)):
            if person.office in own:
                kinds.setdefault(person.resident, []).append(str(Insurance(insurance).label))
                units.setdefault(person.resident, person.unit)
    # the caller's scope is that of her request; who stands on the list was found within it
    people = Resident.objects.filter(pk__in=kinds).select_related("household")
    grown = date(today.year - ADULT, today.month, min(today.day, 28))
    found: dict[int, list[tuple[Any, list[str]]]] = {}
    for person in people:
        house = person.household
        child = person.birth_date is not None and person.birth_date > grown
        line = [
            (house.group_name if house else "").removesuffix("组"),
            NAMELESS if child else person.name,
            _("%(insurances)s%(kind)s")
            % {"insurances": "、".join(kinds[person.pk]), "kind": _KINDS[wanted.kind]},
        ]
        order = (house.walk if house else 2**31, house.pk if house else 0, not person.is_head, person.pk)
        found.setdefault(units[person.pk], []).append((order, line))
    return {unit: [line for _order, line in sorted(rows)] for unit, rows in found.items()}


def grant_columns() -> tuple[PostedColumn, ...]:
    """组, 姓名 (one character covered), 资助种类."""
    return (
        PostedColumn(_("组"), 1.0),
        PostedColumn(_("姓名"), 2.0, "name"),
        PostedColumn(_("种类"), 2.6),
    )


def grant_list_pdf(posting: GrantPosting) -> bytes:
    """The paper of a grant posting: name and kind of grant, no category, amount, age, phone or ID digits."""
    unit: CollectingUnit = posting.unit
    committee = committee_of(unit)
    year = posting.plan.coverage_year
    what = _("%(year)s年度城乡居民保险%(list)s") % {"year": year, "list": posting.list_name.strip("《》")}
    return posted_list(
        PostedListData(
            title=f"{posting.township.name}{unit.name}{what}{_('公示')}",
            subject=_("本村（居）%(what)s") % {"what": what},
            rows=[tuple(row) for row in posting.entries],
            columns=grant_columns(),
            first_day=posting.opens_on,
            last_day=posting.closes_on,
            objections_to=committee,
            telephone=complaint_phone(posting.plan, posting.township_id),
            signed_by=committee,
            signed_on=posting.posted_on or posting.opens_on,
            note=_("共 %(n)s 人，未成年人只计人数、不列姓名。核对码 %(code)s")
            % {"n": posting.heads, "code": posting.digest[:8]},
        )
    )
