"""What the list of people to confirm says of each reason, and of the evidence of one line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from seasons.models import Confirmation, Reason

# What somebody should do about a reason, one line.
ADVICE: Final = {
    Reason.DECEASED: gettext_lazy("死亡后不再收缴。确认后不结转；弄错的，先改档案再结转。"),
    Reason.EMPLOYEE_MEDICAL: gettext_lazy("已参加职工医保，不再参加居民医保。已停保的可以结转。"),
    Reason.EMPLOYEE_PENSION: gettext_lazy("已参加职工养老，不再参加居民养老。已停保的可以结转。"),
    Reason.NOT_IN_SCOPE: gettext_lazy("按户籍、居住证不在新方案的参保范围。"),
    Reason.IN_SCHOOL: gettext_lazy("在校学生不参加居民养老保险。已离校的，先改档案再结转。"),
    Reason.AGE_60_OR_MORE: gettext_lazy("已过缴费年龄，领取待遇或转人社局核定补缴。"),
    Reason.LEFT: gettext_lazy("户籍已迁出，或已不归本方案管。"),
    Reason.NEW_SIXTEEN: gettext_lazy("今年起可以参加居民养老保险：动员，愿意的就结转登记。"),
    Reason.LEFT_SCHOOL: gettext_lazy("上年因在校没有参加养老，现已离校：愿意的就结转登记。"),
    Reason.NEW_SIXTY: gettext_lazy("养老不再缴费，办理领取手续；医疗按新的年龄段计。"),
    Reason.LAPSED_CATEGORY: gettext_lazy("代缴身份已到期，没有新的认定就要自己缴：先问认定部门。"),
    Reason.MOVED: gettext_lazy("已按现在的村居登记，请两边核对。"),
    Reason.CLOSED_LAST_YEAR: gettext_lazy("上年销号，今年照样登记：上门问一问。"),
    Reason.MISSED_LAST_YEAR: gettext_lazy("上年登记了没有缴，中断年数已加一：上门动员。"),
    Reason.ENROLLED_ELSEWHERE: gettext_lazy("上年在外地参保，问清今年在哪里参加，不要重复。"),
    Reason.TIER_GONE: gettext_lazy("新方案没有这个档次，请本人重新选。"),
    Reason.TIER_100_NOT_ALLOWED: gettext_lazy("不再符合100元档的条件，请本人重新选。"),
}


def evidence(row: Confirmation, *, units: Mapping[int, str], groups: Mapping[str, str]) -> str:
    """Why this person waits, in a few words: dates, the old village, the group that ended."""
    detail: dict[str, Any] = row.detail
    parts: list[str] = []
    if on := detail.get("on"):
        said = _("%(day)s 死亡") if row.reason == Reason.DECEASED else _("%(day)s 迁出或注销")
        parts.append(said % {"day": on})
    if closed := detail.get("closed"):
        parts.append(_("上年销号：%(reason)s") % {"reason": closed})
    for ended in detail.get("ended", []):
        name = groups.get(ended["category"], ended["category"])
        parts.append(_("%(group)s %(day)s 到期") % {"group": name, "day": ended["until"]})
    if row.reason == Reason.MOVED:
        parts.append(_("上年在%(unit)s") % {"unit": units.get(detail.get("from", 0), _("别的村居"))})
    if row.reason == Reason.MISSED_LAST_YEAR:
        parts.append(_("连续 %(n)s 年未缴") % {"n": detail.get("years", 1)})
    if row.reason in {Reason.TIER_GONE, Reason.TIER_100_NOT_ALLOWED} and "tier" in detail:
        parts.append(_("上年 %(tier)s 元档") % {"tier": detail["tier"].removesuffix(".00")})
    if row.reason in {Reason.NEW_SIXTEEN, Reason.NEW_SIXTY, Reason.AGE_60_OR_MORE, Reason.LEFT_SCHOOL}:
        born: date | None = row.resident.birth_date
        parts.append(_("%(day)s 出生") % {"day": born.isoformat()} if born else "")
    return "；".join(filter(None, parts))


def last_tier(row: Confirmation) -> str:
    """Last year's tier in yuan, empty where there was none."""
    before = row.registration_before
    return f"{before.tier:.0f}" if before is not None and before.tier is not None else ""
