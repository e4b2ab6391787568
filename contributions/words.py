"""What codes of the evaluator are called on the screen, in the words people use."""

from __future__ import annotations

from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Word = str | Promise

PAYERS: Final[dict[str, Word]] = {
    "personal": _("本人"),
    "government_or_department": _("参保地政府或部门"),
    "government": _("政府"),
    "county_finance": _("区财政"),
    "township_finance": _("镇街财政"),
    "medical_assistance_fund": _("医疗救助资金"),
    "fiscal_subsidy": _("财政补助"),
    "pension_subsidy": _("政府补贴（记入个人账户）"),
    "family_planning_subsidy": _("计生家庭补贴"),
    "sponsor": _("资助"),
}
REASONS: Final[dict[str, Word]] = {
    "deceased": _("已经死亡"),
    "duplicate": _("已在本方案缴过"),
    "duplicate_elsewhere": _("已在外地参保"),
    "duplicate_in_city": _("已在本市其他县区参保"),
    "not_in_scope": _("不在本方案参保范围"),
    "employee_medical": _("已参加职工医保"),
    "employee_pension": _("已参加职工养老"),
    "in_school": _("在校学生"),
    "under_16": _("不满 16 周岁"),
    "age_60_or_more": _("已满 60 周岁"),
    "unknown_tier": _("没有选档次，或档次不在方案里"),
    "tier_100_not_allowed": _("不能选 100 元档次"),
    "birth_date_missing": _("没有出生日期"),
    "newborn": _("新生儿，由医保局核定"),
    "tier_not_chosen": _("还没有选档次"),
    "no_clause": _("没有对得上的条文"),
    "route_closed": _("这个途径已经停收"),
    "late_waived_group": _("有代缴身份而逾期，由谁承担没有写明"),
    "out_of_period": _("不在缴费期"),
    "after_coverage_year": _("保障年度已经结束"),
    "no_cover_left": _("现在缴，本年度已没有报销期"),
    "higher_tier_not_allowed": _("政府代缴的，不能另选高档次"),
}
WARNINGS: Final[dict[str, Word]] = {
    "no_cover_left": _("现在缴，本年度已没有报销期。"),
    "household_incomplete": _("这一户还有人没登记，按户参保要一起缴。"),
}
TIMINGS: Final[dict[str, Word]] = {
    "on_time": _("集中缴费期内"),
    "before_window": _("还没到缴费期"),
    "out_of_period": _("不在缴费期"),
    "late": _("逾期缴费"),
}


def payer(code: str, printed: dict[str, Any] | None = None) -> str:
    """A payer as the plan prints it, else by our word."""
    return str((printed or {}).get(code) or PAYERS.get(code, code))


def reason(code: str) -> str:
    """Why not, in a few words; nothing for an empty code."""
    return str(REASONS.get(code, code))
