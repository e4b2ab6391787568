"""Whether a year can be closed: what must be settled first, and what is still open and may be accepted with a reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from enrollment.models import CollectionPlan, PlanStatus, Stage, Window
from foundation.imports.models import BatchState, ImportBatch, ReturnedRow
from foundation.jobs.models import OPEN_STATES, Job
from seasons.models import Confirmation, SeasonClosing

# Jobs that read and write nothing of the year that is closed.
HARMLESS = ("close_season", "what_if")


@dataclass(frozen=True)
class Matter:
    """Something open: a code, the sentence, how many, yuan where money is involved, and the page that settles it."""

    code: str
    text: str
    count: int = 0
    amount: str = ""
    url: str = ""

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the closing."""
        return {key: value for key, value in asdict(self).items() if key != "url"}


@dataclass(frozen=True)
class Readiness:
    """Blockers stop a closing; warnings need a reason."""

    blockers: list[Matter]
    warnings: list[Matter]

    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.blockers


def readiness(plan: CollectionPlan, *, today: date) -> Readiness:
    """Look at everything. Runs under the scope of the whole county; a fixed number of queries."""
    return Readiness(
        [matter for matter in _blockers(plan) if matter is not None],
        [matter for matter in (*_of_the_calendar(plan, today), *_of_the_tables(plan)) if matter is not None],
    )


def _blockers(plan: CollectionPlan) -> list[Matter | None]:
    standing = SeasonClosing.objects.filter(plan=plan, reopened_at=None, archived_at__isnull=False).exists()
    published = plan.status in (PlanStatus.PUBLISHED, PlanStatus.CLOSED)
    batches = ImportBatch.objects.filter(
        Q(plan_code=plan.code) | Q(plan_code=""), county_code=plan.county.code,
        state__in=[BatchState.RECEIVED, BatchState.CHECKED],
    ).count()  # fmt: skip
    jobs = (
        Job.objects.filter(county_code=plan.county.code, state__in=OPEN_STATES)
        .exclude(kind__in=HARMLESS)
        .count()
    )
    amendment = (
        CollectionPlan.objects.filter(code=plan.code, status=PlanStatus.DRAFT).exclude(pk=plan.pk).exists()
    )
    return [
        Matter("closed", _("这个年度已经结账归档。")) if standing else None,
        None if published else Matter("not_published", _("方案还没有发布，先在方案页面发布。"), url="plan"),
        Matter("amendment", _("方案有一份还没生效的修订，先让它生效或撤回。"), url="plan")
        if amendment
        else None,
        Matter("batches", _("有 %(n)s 批导入还没有入库或放弃。") % {"n": batches}, batches, url="imports")
        if batches
        else None,
        Matter("jobs", _("有 %(n)s 个任务还在跑，等它们做完或停下。") % {"n": jobs}, jobs, url="jobs")
        if jobs
        else None,
    ]


def _of_the_calendar(plan: CollectionPlan, today: date) -> list[Matter | None]:
    closes = (
        Window.objects.filter(plan=plan, kind="collection")
        .order_by("-closes_on")
        .values_list("closes_on", flat=True)
    )
    last = next((day for day in closes if day is not None), None)
    summing = (
        Stage.objects.filter(plan=plan, kind="summary", starts_on__gt=today).order_by("starts_on").first()
    )
    return [
        Matter("season", _("缴费期还没有过（到 %(day)s）。") % {"day": last.isoformat()})
        if last and today <= last
        else None,
        Matter(
            "stage",
            _("还没到%(name)s阶段（%(day)s 起）。") % {"name": summing.name, "day": summing.starts_on},
        )
        if summing is not None
        else None,
    ]


_OPEN = """
SELECT
  (SELECT count(*) FROM contributions_paymentcase c LEFT JOIN contributions_payment p ON p.id = c.payment_id
     LEFT JOIN enrollment_registration g ON g.id = c.registration_id
   WHERE c.state = 'open' AND coalesce(p.plan_id, g.plan_id) = %(plan)s),
  (SELECT coalesce(sum(excess), 0) FROM contributions_payment WHERE plan_id = %(plan)s),
  (SELECT count(*) FROM contributions_paymentline l JOIN contributions_payment p ON p.id = l.payment_id
   WHERE p.plan_id = %(plan)s AND p.reverses_id IS NULL AND l.amount > 0
     AND NOT EXISTS (SELECT FROM contributions_taxentry t WHERE t.payment_line_id = l.id)
     AND NOT EXISTS (SELECT FROM contributions_payment r WHERE r.reverses_id = p.id)),
  (SELECT count(*) FROM (
     SELECT c.registration_id FROM contributions_charge c JOIN enrollment_registration g ON g.id = c.registration_id
     LEFT JOIN (SELECT registration_id, sum(amount) AS paid FROM contributions_paymentline
                WHERE part <> 'government' GROUP BY registration_id) p ON p.registration_id = c.registration_id
     WHERE c.plan_id = %(plan)s AND c.current AND c.for_year = %(year)s AND g.closing_reason = ''
     GROUP BY c.registration_id, p.paid HAVING sum(c.personal_amount) > coalesce(p.paid, 0)) owing),
  (SELECT count(*) FROM enrollment_registration g WHERE g.plan_id = %(plan)s
     AND NOT EXISTS (SELECT FROM contributions_assessment a WHERE a.resident_id = g.resident_id
                       AND a.insurance = g.insurance AND a.coverage_year = g.coverage_year)),
  (SELECT count(DISTINCT g.unit_id) FROM enrollment_registration g WHERE g.plan_id = %(plan)s
     AND NOT EXISTS (SELECT FROM rosters_roster r WHERE r.plan_id = %(plan)s AND r.kind = 'payment'
                       AND r.unit_id = g.unit_id)),
  (SELECT count(*) FROM notices_posting n JOIN rosters_roster r ON r.id = n.roster_id
   WHERE r.plan_id = %(plan)s AND n.removed_on IS NULL),
  (SELECT count(*) FROM contributions_fundingrequest WHERE plan_id = %(plan)s AND state NOT IN ('settled', 'withdrawn'))
"""


def _of_the_tables(plan: CollectionPlan) -> list[Matter | None]:
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"plan": plan.pk, "year": plan.coverage_year})
        row = cursor.fetchone()
    assert row is not None
    cases, excess, unconfirmed, unpaid, unassessed, without, posted, funding = row
    waiting = Confirmation.objects.filter(plan=plan, decision="").count()
    returned = ReturnedRow.objects.filter(
        batch__county_code=plan.county.code, batch__plan_code=plan.code, closed_at=None
    ).count()
    money = f"{Decimal(excess):.2f}" if excess else ""
    said: list[tuple[str, str, int, str, str]] = [
        ("cases", _("待处理事项还有 %(n)s 件"), cases, "", "cases"),
        ("excess", _("有多收未退的钱"), int(bool(excess)), money, "cases"),
        ("unpaid", _("还有 %(n)s 人次未缴，没有销号原因"), unpaid, "", "progress"),
        ("unconfirmed", _("还有 %(n)s 笔缴费没有税务回传"), unconfirmed, "", "cases"),
        ("unassessed", _("还有 %(n)s 人次登记了没有核定"), unassessed, "", "rosters"),
        ("rosters", _("还有 %(n)s 个村没有缴费清册"), without, "", "rosters"),
        ("postings", _("还有 %(n)s 张公示没有撤下"), posted, "", "postings"),
        ("funding", _("还有 %(n)s 份代缴请款没有结算"), funding, "", "funding"),
        ("confirmations", _("年初待确认的还有 %(n)s 条没有结果"), waiting, "", "confirm"),
        ("returned", _("退回的行还有 %(n)s 行没有销"), returned, "", "returned"),
    ]
    return [
        Matter(code, text % {"n": f"{count:,}"} if "%(n)s" in text else text, count, amount, url)
        for code, text, count, amount, url in said
        if count
    ]
