"""Put a sealed payment roster up for the village to check, note when it hung, and draw the paper."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, Insurance, Stage
from foundation.audit.services import record
from foundation.clock.services import business_date
from foundation.documents import PostedListData, payment_columns, posted_list
from foundation.http import Problem
from notices.models import PostedPaper, Posting
from notices.queries import posted_households
from rosters.models import Roster, RosterKind
from townships.models import Agency, AgencyKind, CollectingUnit

Hung = TypeVar("Hung", bound=PostedPaper)

# Without a printed period a list hangs this long.
DAYS = 7


def posting_days(plan: CollectionPlan, today: date) -> tuple[date, date]:
    """First and last day of posting: the plan's publicity stage, beginning today where it has begun.

    A stage without a first day begins after the collection stage ends; a plan without the stage gives seven days.
    After the stage has ended the list still hangs seven days, and shows as late.
    """
    stages = {stage.kind: stage for stage in Stage.objects.filter(plan=plan).order_by("-ends_on", "-pk")}
    stage, collection = stages.get("publicity"), stages.get("collection")
    first = stage.starts_on if stage is not None else None
    if first is None and stage is not None and collection is not None and collection.ends_on is not None:
        first = collection.ends_on + timedelta(days=1)
    first = max(first or today, today)
    last = stage.ends_on if stage is not None else None
    return first, last if last is not None and last >= first else first + timedelta(days=DAYS - 1)


@transaction.atomic
def create_posting(
    *, by: Any, roster: Roster, opens_on: date | None = None, closes_on: date | None = None, place: str = ""
) -> Posting:
    """Plan the posting of a sealed payment roster; asked again it returns the one there is.

    The days default to the plan's. Raises Problem 400 for another kind of roster, one of a single insurance, or days that
    end before they begin.
    """
    if roster.kind != RosterKind.PAYMENT:
        raise Problem(400, "not_a_payment_roster", _("只有缴费清册可以公示。"))
    if roster.insurance:
        raise Problem(400, "roster_of_one_insurance", _("公示用两险合在一起的缴费清册，这本只有一个险种。"))
    first, last = posting_days(roster.plan, business_date(roster.plan.county.code))
    first, last = opens_on or first, closes_on or last
    if last < first:
        raise Problem(400, "ends_before_start", _("公示结束的日子早于开始，请核对。"))
    try:
        with transaction.atomic():
            posting = Posting.objects.create(
                township_id=roster.township_id, unit_id=roster.unit_id, roster=roster, opens_on=first,
                closes_on=last, place=place.strip(), created_by=by,
            )  # fmt: skip
    except IntegrityError:
        return Posting.objects.get(roster=roster)
    record_posting(by, posting, "posting.create", {"opens_on": first, "closes_on": last})
    return posting


@transaction.atomic
def mark_posted(*, by: Any, posting: Hung, on: date, place: str = "") -> Hung:
    """Note the day a paper was put up. Raises Problem 409 when it is noted already."""
    held: Hung = type(posting).objects.select_for_update().get(pk=posting.pk)
    if held.posted_on is not None:
        raise Problem(409, "already_posted", _("这张榜已经登记过张贴。"))
    if not held.sealed_on <= on <= business_date(held.township.county.code):
        raise Problem(400, "not_that_day", _("张贴日期应在名单定稿之后、今天之前，请核对。"))
    held.posted_on, held.place = on, place.strip() or held.place
    held.save(update_fields=["posted_on", "place"])
    record_posting(by, held, "posting.posted", {"on": on, "early": on < held.opens_on})
    return held


@transaction.atomic
def mark_removed(*, by: Any, posting: Hung, on: date) -> Hung:
    """Note the day a paper was taken down. Raises Problem 409 before it was put up or when it is noted already."""
    held: Hung = type(posting).objects.select_for_update().get(pk=posting.pk)
    if held.posted_on is None or on < held.posted_on:
        raise Problem(409, "not_posted", _("还没有登记张贴，不能登记撤下。"))
    if held.removed_on is not None:
        raise Problem(409, "already_removed", _("这张榜已经登记过撤下。"))
    held.removed_on = on
    held.save(update_fields=["removed_on"])
    record_posting(by, held, "posting.removed", {"on": on, "early": on < held.closes_on})
    return held


def posted_list_pdf(posting: Posting, *, insurance: str = Insurance.MEDICAL) -> bytes:
    """The paper of a posting for one insurance: households, people due, people paid, end of the voucher.

    No amounts, ages, categories, phones or ID digits; nobody who has not paid, and no child, is named. ``posting``
    may be unsaved (a proof before it is planned). Raises ValueError for an insurance the plan does not collect.
    """
    roster = posting.roster
    plan, year = roster.plan, roster.plan.coverage_year
    place = f"{roster.township.name}{roster.unit.name}"
    what = _("%(year)s年度城乡居民%(insurance)s缴费情况") % {"year": year, "insurance": _full_name(insurance)}
    households = posted_households(roster, insurance)
    rows = [(h.group, h.head, str(h.due), str(h.paid), h.tail) for h in households]
    committee = committee_of(roster.unit)
    return posted_list(
        PostedListData(
            title=f"{place}{what}{_('公示')}",
            subject=_("本村（居）%(what)s") % {"what": what},
            rows=rows,
            columns=payment_columns(),
            first_day=posting.opens_on,
            last_day=posting.closes_on,
            objections_to=committee,
            telephone=complaint_phone(plan, roster.township_id),
            signed_by=committee,
            signed_on=posting.posted_on or posting.opens_on,
            note=_("应缴、已缴为人数，政府代缴的人计入已缴；没有凭证的登核对号。清册编号 %(number)s")
            % {"number": roster.number},
        )
    )


def _full_name(insurance: str) -> str:
    return _("基本医疗保险") if insurance == Insurance.MEDICAL else _("基本养老保险")


def committee_of(unit: CollectingUnit) -> str:
    """Who answers for the list: the village's committee by its full name, else the collecting unit."""
    village = unit.village
    if village is None:
        return unit.name
    return village.name.replace("村委会", "村民委员会").replace("居委会", "居民委员会")


def complaint_phone(plan: CollectionPlan, township_id: int) -> str:
    """Whom to call: the township's office, else the county's supervisor; empty when none is known."""
    kinds = [AgencyKind.GOVERNMENT, AgencyKind.MEDICAL, AgencyKind.TAX, AgencyKind.AUDIT]
    agencies = Agency.objects.filter(county=plan.county, kind__in=kinds).exclude(phone="")
    found = sorted(
        agencies, key=lambda a: (a.township_id != township_id, kinds.index(AgencyKind(a.kind)), a.pk)
    )
    return next((a.phone for a in found if a.township_id in (township_id, None)), "")


def record_posting(by: Any, posting: PostedPaper, action: str, detail: dict[str, Any]) -> None:
    """The trail of a posting: what hangs, and what was done."""
    record(
        by=by, action=action, target_kind=posting._meta.model_name or "", target=posting.pk,
        county_code=posting.township.county.code, township_code=posting.township.code,
        detail={"roster": posting.subject} | detail,
    )  # fmt: skip
