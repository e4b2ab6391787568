"""What every page shows: the county's name, the business date when it is not today, the office's menu."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from foundation.clock.services import business_date
from townships.models import County
from townships.rules import ACTS, OFFICE_ROLES, permits

# The order of the year. A part is (title, view, what it takes): a model label asks the permission table, a set
# names the roles. A part whose page does not exist yet is left out.
_EVERYBODY = OFFICE_ROLES
_IMPORTERS = frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau", "department", "township_clerk"})
_COLLECTORS = frozenset({"tax_bureau", "medical_bureau", "hr_bureau", "township_clerk", "auditor"})
_PROGRESS = (_EVERYBODY - {"department"}) | {"county_leader"}
_FUNDERS = ACTS["read_funding"]
_PLAN_READERS, _BUDGETERS = ACTS["read_plans"], ACTS["budget"]

Part = tuple[str, str, "str | frozenset[str]"]
NAVIGATION: list[tuple[str, str, list[Part]]] = [
    (
        gettext_noop("方案"),
        "book",
        [
            (gettext_noop("征缴方案"), "plans:list", _PLAN_READERS),
            (gettext_noop("年度"), "seasons:season", ACTS["read_season"]),
            (gettext_noop("测算"), "plans:budgets", _BUDGETERS),
            (gettext_noop("规则"), "admin:subsidies_rule_changelist", "subsidies.rule"),
            (gettext_noop("任务数"), "admin:enrollment_target_changelist", "enrollment.target"),
        ],
    ),
    (
        gettext_noop("居民与名单"),
        "users",
        [
            (gettext_noop("居民"), "admin:enrollment_resident_changelist", "enrollment.resident"),
            (gettext_noop("户"), "admin:enrollment_household_changelist", "enrollment.household"),
            (gettext_noop("新参保登记"), "register:newcomer", ACTS["keep_register"]),
            (gettext_noop("转入转出"), "register:transfers", ACTS["compare_registers"]),
            (gettext_noop("疑似重复"), "register:doubles", ACTS["compare_registers"]),
            (gettext_noop("和公安户籍核对"), "register:police", ACTS["compare_registers"]),
            (gettext_noop("名单核对"), "register:compare", ACTS["compare_registers"]),
            (gettext_noop("特殊群体"), "admin:enrollment_membership_changelist", "enrollment.membership"),
            (gettext_noop("代缴名单"), "funding:lists", _FUNDERS),
            (gettext_noop("标识同步"), "marks:board", ACTS["read_marks"]),
            (gettext_noop("导入名单"), "imports:home", _IMPORTERS),
            (gettext_noop("名单报送"), "lists:board", ACTS["read_lists"]),
            (gettext_noop("退回的行"), "imports:returned", _IMPORTERS | {"auditor"}),
        ],
    ),
    (
        gettext_noop("清册"),
        "doc",
        [
            (gettext_noop("清册进度"), "rosters:board", _COLLECTORS),
            (gettext_noop("已封存的清册"), "admin:rosters_roster_changelist", "rosters.roster"),
        ],
    ),
    (
        gettext_noop("缴费"),
        "card",
        [
            (gettext_noop("缴费记录"), "admin:contributions_payment_changelist", "contributions.payment"),
            (gettext_noop("应缴"), "admin:contributions_charge_changelist", "contributions.charge"),
            (gettext_noop("核定"), "admin:contributions_assessment_changelist", "contributions.assessment"),
            (gettext_noop("已缴差异"), "plans:differences", ACTS["read_differences"]),
        ],
    ),
    (
        gettext_noop("代缴资金"),
        "bank",
        [
            (gettext_noop("拨付申请"), "funding:requests", _FUNDERS),
            (gettext_noop("预算"), "funding:budget", _FUNDERS - {"department"}),
            (gettext_noop("付款方"), "funding:payers", _FUNDERS - {"department"}),
            (gettext_noop("资助人"), "funding:sponsors", ACTS["read_sponsors"]),
        ],
    ),
    (
        gettext_noop("对账"),
        "scale",
        [
            (
                gettext_noop("待处理事项"),
                "admin:contributions_paymentcase_changelist",
                "contributions.paymentcase",
            ),
            (gettext_noop("税务回传"), "admin:contributions_taxentry_changelist", "contributions.taxentry"),
        ],
    ),
    (
        gettext_noop("公示"),
        "board",
        [
            (gettext_noop("公示"), "notices:list", _COLLECTORS),
            (gettext_noop("资助名单公示"), "notices:grants", _COLLECTORS),
            (gettext_noop("公示登记"), "admin:notices_posting_changelist", "notices.posting"),
        ],
    ),
    (gettext_noop("进度"), "chart", [(gettext_noop("进度"), "progress:county", _PROGRESS)]),
    (gettext_noop("通知"), "bell", [(gettext_noop("通知"), "notices:messages", _EVERYBODY)]),
    (
        gettext_noop("系统"),
        "gear",
        [
            (gettext_noop("用户"), "admin:townships_user_changelist", "townships.user"),
            (gettext_noop("设备"), "admin:townships_device_changelist", "townships.device"),
            (
                gettext_noop("代收单位"),
                "admin:townships_collectingunit_changelist",
                "townships.collectingunit",
            ),
            (gettext_noop("村居"), "admin:townships_village_changelist", "townships.village"),
            (gettext_noop("村居与代收单位变更"), "register:places", ACTS["merge_places"]),
            (gettext_noop("镇街"), "admin:townships_township_changelist", "townships.township"),
            (gettext_noop("机构"), "admin:townships_agency_changelist", "townships.agency"),
            (gettext_noop("群体类别"), "admin:enrollment_category_changelist", "enrollment.category"),
            (gettext_noop("任务"), "admin:jobs_job_changelist", "jobs.job"),
            (gettext_noop("导入批次"), "admin:imports_importbatch_changelist", "imports.importbatch"),
            (gettext_noop("留痕"), "admin:audit_auditevent_changelist", "audit.auditevent"),
        ],
    ),
]


@dataclass
class MenuItem:
    """A line of the menu and the parts below it."""

    title: str
    url: str
    icon: str = ""
    current: bool = False
    parts: list[MenuItem] = field(default_factory=list)


@dataclass
class Office:
    """The office's frame for one person."""

    navigation: list[MenuItem]
    search_url: str


def _url(view: str) -> str:
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""


def _open_to(role: str, needs: str | frozenset[str]) -> bool:
    return permits(role, needs) if isinstance(needs, str) else role in needs


def menu(role: str, path: str) -> list[MenuItem]:
    """The menu of a role; the longest link that begins ``path`` is current."""
    items: list[MenuItem] = []
    for title, icon, parts in NAVIGATION:
        shown = [
            MenuItem(_(part_title), url)
            for part_title, view, needs in parts
            if _open_to(role, needs) and (url := _url(view))
        ]
        if shown:
            items.append(MenuItem(_(title), shown[0].url, icon, parts=shown))
    matches = [part for item in items for part in item.parts if path.startswith(part.url)]
    if matches:
        best = max(matches, key=lambda part: len(part.url))
        for item in items:
            item.current = any(part is best for part in item.parts)
        best.current = True
    return items


def county_of(request: HttpRequest) -> County | None:
    """The signed-in person's county; at the door the installation's first."""
    user = request.user
    if user.is_authenticated and user.county is not None:
        return user.county
    known: dict[str, County | None] = request.__dict__.setdefault("_county", {})
    if "first" not in known:
        known["first"] = County.objects.order_by("pk").first()
    return known["first"]


def site_title(request: HttpRequest) -> str:
    """山亭区两险集中征缴."""
    county = county_of(request)
    return _("%(county)s两险集中征缴") % {"county": county.name} if county else _("两险集中征缴")


def office(request: HttpRequest) -> Office:
    """The frame of the office for whoever is signed in; empty for anybody else."""
    user = request.user
    role = user.role if user.is_authenticated else ""
    search = _url("admin:find") if permits(role, "enrollment.resident") else ""
    return Office(menu(role, request.path), search)


def page(request: HttpRequest) -> dict[str, Any]:
    """Names and dates of every page; computed only where a template asks."""
    if not hasattr(request, "user"):
        return {"demonstration": settings.DEMONSTRATION, "portal_name": _("两险集中征缴")}
    county = SimpleLazyObject(lambda: county_of(request))
    day = SimpleLazyObject(lambda: business_date(county.code) if county else timezone.localdate())
    return {
        "demonstration": settings.DEMONSTRATION,
        "county": county,
        "portal_name": SimpleLazyObject(lambda: site_title(request)),
        "business_date": day,
        "business_date_moved": SimpleLazyObject(lambda: day != timezone.localdate()),
        "office": SimpleLazyObject(lambda: office(request)),
    }
