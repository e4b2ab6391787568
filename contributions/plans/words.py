"""A plan's rules in words: what a condition, an amount or a share says, as one would read it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.words import payer, reason
from enrollment.models import Insurance
from subsidies.queries import PLANS
from subsidies.rules.parse_lists import SUPPLIER
from subsidies.rules.plan import Plan, RuleRow
from subsidies.rules.settings import SETTINGS, SEVERE, WAIVED
from townships.models import AgencyKind

Word = str | Promise

AREAS: Final[dict[str, Word]] = {
    "local": gettext_lazy("本地户籍"),
    "same_city_other_county": gettext_lazy("本市其他县区户籍"),
    "outside": gettext_lazy("市外户籍"),
}
PERMITS: Final[dict[str, Word]] = {
    "true": gettext_lazy("本人持居住证"),
    "parent": gettext_lazy("父母持居住证"),
    "false": gettext_lazy("无居住证"),
}
SCHOOLS: Final[dict[str, Word]] = {
    "primary": gettext_lazy("小学"),
    "senior_high": gettext_lazy("高中"),
    "vocational": gettext_lazy("中职"),
    "technician_college": gettext_lazy("技师学院"),
    "university": gettext_lazy("高校"),
    "postgraduate": gettext_lazy("研究生"),
}
ROUTES: Final[dict[str, Word]] = {
    "village": gettext_lazy("村居代办"),
    "township_hr_office": gettext_lazy("镇街人社所"),
    "online": gettext_lazy("线上自行缴费"),
    "government": gettext_lazy("部门集中缴费"),
}
SEXES: Final[dict[str, Word]] = {"male": gettext_lazy("男"), "female": gettext_lazy("女")}
FAMILIES: Final[dict[str, Word]] = {
    "only_child": gettext_lazy("独生子女家庭"),
    "two_daughters_sterilised": gettext_lazy("双女绝育家庭"),
    "two_daughters_not_sterilised": gettext_lazy("双女未绝育家庭"),
}
CERTAINTIES: Final[dict[str, Word]] = {
    "high": gettext_lazy("原文印明"),
    "medium": gettext_lazy("一种推断"),
    "low": gettext_lazy("原文未写"),
}
LEVELS: Final[dict[str, Word]] = {
    "district": gettext_lazy("区级"),
    "county": gettext_lazy("县级"),
    "county_level_city": gettext_lazy("县级市"),
    "township": gettext_lazy("镇街"),
}
DECISIONS: Final[dict[str, Word]] = {
    "accept": gettext_lazy("可以参保"),
    "refuse": gettext_lazy("不能参保"),
    "refer": gettext_lazy("转部门核定"),
    "hold": gettext_lazy("未到缴费期"),
    "amount_not_configured": gettext_lazy("待录入标准"),
}
# What a note of the plan says beside its clause, in the order in which it is read.
FACTS: Final[dict[str, Word]] = {
    "who": gettext_lazy("谁"),
    "departments": gettext_lazy("部门"),
    "what": gettext_lazy("内容"),
    "how": gettext_lazy("方式"),
    "to": gettext_lazy("交给"),
    "by": gettext_lazy("不晚于"),
    "every": gettext_lazy("周期"),
    "from": gettext_lazy("自"),
    "until": gettext_lazy("至"),
    "days": gettext_lazy("天数"),
    "routes": gettext_lazy("途径"),
    "means": gettext_lazy("缴费方式"),
    "columns": gettext_lazy("栏目"),
    "groups": gettext_lazy("群体"),
    "rate": gettext_lazy("目标"),
    "ages": gettext_lazy("年龄"),
    "denominator": gettext_lazy("分母"),
    "suppliers": gettext_lazy("认定"),
    "application": gettext_lazy("请款"),
    "payer": gettext_lazy("付款方"),
    "tasks": gettext_lazy("任务"),
}
_VALUES: Final[dict[str, dict[str, Word]]] = {
    "routes": ROUTES,
    "denominator": {
        "in_scope": gettext_lazy("应参保的人"),
        "residents": gettext_lazy("该年龄段全部人员"),
        "enrolled": gettext_lazy("该年龄段参保人员"),
        "task_table": gettext_lazy("任务表"),
    },
    "columns": {
        "group": gettext_lazy("村组"),
        "head": gettext_lazy("户主"),
        "name": gettext_lazy("姓名"),
        "due": gettext_lazy("应缴"),
        "paid": gettext_lazy("已缴"),
        "voucher": gettext_lazy("凭证号"),
        "members": gettext_lazy("人口数"),
        "amount": gettext_lazy("金额"),
    },
}


@lru_cache(maxsize=1)
def _vocabulary() -> Mapping[str, str]:
    text = (PLANS / "vocabulary" / "categories.yaml").read_text(encoding="utf-8")
    return {str(code): str(name) for code, name in yaml.safe_load(text).items()}


def category(code: str) -> str:
    """A special group by its official name; ``severely_disabled`` is a card of a severe grade."""
    special = {"severely_disabled": _("重度残疾人"), "waived": _("有人代缴的人")}
    return special.get(code) or _vocabulary().get(code, code)


def listed_names(book: Plan, setting: str) -> dict[str, str]:
    """What a list of a setting may name, by code: groups, waivers or routes; nothing for another kind of setting."""
    if setting not in SETTINGS or SETTINGS[setting].kind != "codes":
        return {}
    if setting == "medical.waiver_channels":
        return {code: str(name) for code, name in ROUTES.items()}
    if setting == "medical.payer_tie_order":
        rules = [book.rule(code) for code in sorted(book.waiver_codes)]
        return {rule.code: rule.name or sentence(book, rule) for rule in rules if rule is not None}
    codes = [*sorted(book.categories), SEVERE]
    return {code: category(code) for code in (*codes, *([WAIVED] if "exempt" in setting else []))}


def read_listed(book: Plan, setting: str, text: str) -> str:
    """A list as people write it, with names and 、, as codes with commas; what is neither stays as it is."""
    for code, name in sorted(listed_names(book, setting).items(), key=lambda pair: -len(pair[1])):
        text = text.replace(name, f",{code},")
    return ",".join(part.strip() for part in re.split(r"[,，、;；]", text) if part.strip())


def tell_listed(book: Plan, setting: str, codes: str) -> str:
    """Codes with commas as people write them."""
    names = listed_names(book, setting)
    return _("、").join(names.get(code.strip(), code.strip()) for code in codes.split(",") if code.strip())


def _said(table: Mapping[str, Word], codes: object) -> str:
    listed = codes if isinstance(codes, list | tuple) else [codes]
    return _("或").join(str(table.get(str(code), code)) for code in listed)


def _listed(value: object) -> str:
    return _("、").join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)


def _band(band: Mapping[str, Any], unit: str) -> str:
    first, last = band.get("from"), band.get("to")
    if first is None:
        return _("%(to)s%(unit)s及以下") % {"to": last, "unit": unit}
    if last is None:
        return _("%(from)s%(unit)s及以上") % {"from": first, "unit": unit}
    return _("%(from)s 至 %(to)s%(unit)s") % {"from": first, "to": last, "unit": unit}


def _born(band: Mapping[str, Any]) -> str:
    first, last = band.get("from"), band.get("to")
    if first is None:
        return _("%(to)s 及以前出生") % {"to": last}
    if last is None:
        return _("%(from)s 及以后出生") % {"from": first}
    return _("%(from)s 至 %(to)s 出生") % {"from": first, "to": last}


def condition(words: Mapping[str, Any]) -> str:
    """A condition (``Condition.words``) as a phrase; a part without a phrase of its own is shown as it is."""
    known: dict[str, Callable[[Any], str]] = {
        "groups": _listed,
        "not_groups": lambda value: _("不是%(groups)s") % {"groups": _listed(value)},
        "household_registration": lambda value: _said(AREAS, value),
        "residence_permit": lambda value: _said(PERMITS, value),
        "school": lambda value: _("在读%(school)s") % {"school": _said(SCHOOLS, value)},
        "route": lambda value: _("经%(route)s缴") % {"route": _said(ROUTES, value)},
        "sex": lambda value: _said(SEXES, value),
        "family_kinds": lambda value: _said(FAMILIES, value),
        "in_school": lambda value: _("在校") if value else _("不在校"),
        "family_lawful_birth": lambda value: _("合法生育") if value else _("非合法生育"),
        "wife_age_from": lambda value: _("妻子满 %(years)s 周岁") % {"years": value},
        "age": lambda value: _band(value, _(" 周岁")),
        "born": _born,
        "any": lambda value: _("；或者").join(condition(each) for each in value),
    }
    parts = [known[key](value) if key in known else f"{key} {value}" for key, value in words.items()]
    return _("，").join(parts)


def setting_value(value: object) -> str:
    """A setting's value as it stands: lists with commas, nothing for what is not set."""
    if value is None or value == () or value == []:
        return _("未设")
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)


def _shares(plan: Plan, shares: Iterable[tuple[str, str]]) -> str:
    """Who pays what: per cent, or yuan where the paper prints amounts; who pays nothing is left out."""

    def one(code: str, share: str) -> str:
        amount = share if "%" in share or "/" in share else _("%(n)s 元") % {"n": _money(share)}
        return f"{payer(code, dict(plan.payers))} {amount}"

    return _("，").join(one(code, share) for code, share in shares if share not in ("0%", "0", "0.00"))


def _money(text: object) -> str:
    return str(text).removesuffix(".00")


_Said = Callable[[Plan, Mapping[str, Any], RuleRow], str]


def _exclusion(plan: Plan, effect: Mapping[str, Any], row: RuleRow) -> str:
    decision = str(effect.get("decision"))
    if decision == "setting":
        decision = str(plan.settings["pension.max_age_action"])
    insurances = _("、").join(str(Insurance(each).label) for each in effect.get("insurances", ()))
    limits = {
        "under_16": _("不满 %(years)s 周岁") % {"years": effect.get("years")},
        "age_60_or_more": _("满 %(years)s 周岁") % {"years": effect.get("years")},
    }
    why = limits.get(str(effect.get("reason"))) if effect.get("years") else None
    if effect.get("born_from"):
        why = _("%(day)s 以前出生") % {"day": effect["born_from"]}
    why = why or reason(str(effect.get("reason")))
    return _("%(why)s：%(insurances)s%(decision)s") % {
        "why": why, "insurances": insurances, "decision": DECISIONS.get(decision, decision),
    }  # fmt: skip


def _standard(plan: Plan, effect: Mapping[str, Any], row: RuleRow) -> str:
    parts = []
    for key, word in (("personal", _("个人缴费")), ("fiscal", _("财政补助"))):
        year = effect.get(f"{key}_year")
        label = _("（%(year)s 年度标准）") % {"year": year} if year else ""
        amount = _("%(n)s 元") % {"n": _money(effect[key])} if effect.get(key) else _("未印金额")
        parts.append(f"{word} {amount}{label}")
    if effect.get("total"):
        parts.append(_("合计 %(n)s 元") % {"n": _money(effect["total"])})
    for year, amount in (effect.get("fiscal_by_year") or {}).items():
        if year != effect.get("fiscal_year"):
            parts.append(_("另印 %(year)s 年度财政补助 %(n)s 元") % {"year": year, "n": _money(amount)})
    return _("，").join(parts)


def _late(plan: Plan, effect: Mapping[str, Any], row: RuleRow) -> str:
    price = _("缴个人和财政补助的全额") if effect.get("price") == "total_cost" else _("只缴个人部分")
    if effect.get("days"):
        return _("逾期%(price)s，满 %(n)s 日后享受待遇") % {"price": price, "n": effect["days"]}
    return _("逾期%(price)s，从次月起等待 %(n)s 个月") % {"price": price, "n": effect.get("months")}


def _interruption(plan: Plan, effect: Mapping[str, Any], row: RuleRow) -> str:
    """Waiting after missed years: fixed months, more for each further year, less for each repaired, a least."""
    parts = [_("断保后固定等待 %(n)s 个月") % {"n": effect.get("months")}]
    if effect.get("each_further_year"):
        parts.append(_("每多断一年加 %(n)s 个月") % {"n": effect["each_further_year"]})
    if effect.get("each_repaired_year"):
        parts.append(_("每补缴一年减 %(n)s 个月") % {"n": effect["each_repaired_year"]})
    if least := effect.get("at_least"):
        parts.append(_("断 %(years)s 年及以上的不少于 %(months)s 个月") % least)
    return _("，").join(parts)


def _waived(plan: Plan, effect: Mapping[str, Any], row: RuleRow) -> str:
    return f"{condition(row.condition)}{_('：')}{_shares(plan, row.shares)}"


def _paid(plan: Plan, effect: Mapping[str, Any], row: RuleRow) -> str:
    return _("%(who)s：每人每年 %(n)s 元，由%(payers)s") % {
        "who": condition(row.condition), "n": _money(effect.get("amount")), "payers": _shares(plan, row.shares),
    }  # fmt: skip


def _yuan_list(values: Iterable[object]) -> str:
    return _("、").join(_money(each) for each in values)


SENTENCES: Final[dict[str, _Said]] = {
    "group": lambda plan, effect, row: (
        _("对应：") + _("、").join(category(str(code)) for code in effect.get("categories", ()))
    ),
    "admission": lambda plan, effect, row: (
        _("%(who)s：是否在范围内没有写明，转部门核定") % {"who": condition(row.condition)}
        if effect.get("decision") == "refer"
        else condition(row.condition) or _("所有人")
    ),
    "exclusion": _exclusion,
    "cover": lambda plan, effect, row: _("报销期 %(from)s 至 %(to)s") % effect,
    "standard": _standard,
    "waiver": _waived,
    "waiver_routes": lambda plan, effect, row: (
        _("只在这些途径代缴：%(routes)s") % {"routes": _said(ROUTES, effect.get("routes", ()))}
    ),
    "unclear": lambda plan, effect, row: (
        _("%(who)s：没有对得上的条文，转部门核定") % {"who": condition(row.condition)}
    ),
    "late": _late,
    "interruption": _interruption,
    "household": lambda plan, effect, row: _("按户参保：一户没有登记全的，提醒"),
    "tiers": lambda plan, effect, row: (
        _("%(count)s 个档次：%(tiers)s 元")
        % {"count": len(effect.get("amounts", ())), "tiers": _yuan_list(effect.get("amounts", ()))}
    ),
    "restricted_tier": lambda plan, effect, row: (
        _("%(tier)s 元档次只供：%(who)s")
        % {"tier": _money(effect.get("tier")), "who": condition(row.condition)}
    ),
    "subsidy": lambda plan, effect, row: (
        _("缴 %(tiers)s 元的，补贴 %(n)s 元")
        % {"tiers": _yuan_list(effect.get("tiers", ())), "n": _money(effect.get("amount"))}
    ),
    "government_paid": _paid,
    "family_planning": _paid,
    "window": lambda plan, effect, row: (
        (_("集中缴费期 %(opens)s 至 %(closes)s") if effect.get("kind") == "collection" else _("逾期期间 %(opens)s 至 %(closes)s"))
        % effect
    ),
    "stage": lambda plan, effect, row: (
        _("%(starts)s 至 %(ends)s")
        % {"starts": effect.get("starts") or _("未写"), "ends": effect.get("ends") or _("未写")}
    ),
}  # fmt: skip


def sentence(plan: Plan, row: RuleRow) -> str:
    """What a rule that computes says, in one sentence; nothing for a note, whose facts say it."""
    said = SENTENCES.get(row.kind)
    return said(plan, row.effect, row) if said else ""


def agency(kind: str) -> str:
    """An office by its kind; "supplier" is whichever certifies."""
    return _("各认定部门") if kind == SUPPLIER else str(AgencyKind(kind).label)


def _supplier(said: Mapping[str, Any]) -> str:
    whom = [*said.get("groups", ())]
    if said.get("computed"):
        whom.append(_("老年人（按出生日期）"))
    return _("%(office)s认定%(groups)s") % {"office": said.get("name"), "groups": _listed(whom)}


def _application(said: Mapping[str, Any]) -> str:
    joined = "".join(_("会同%(office)s") % {"office": agency(each)} for each in said.get("with", ()))
    return _("%(by)s%(joined)s向%(to)s申请") % {
        "by": agency(str(said.get("by"))), "joined": joined, "to": agency(str(said.get("to"))),
    }  # fmt: skip


def facts(row: RuleRow) -> list[tuple[str, str]]:
    """(label, value) of what a note says besides its clause."""
    if row.kind in SENTENCES or row.kind in ("targets", "readings"):
        return []
    found = []
    effect: dict[str, Any] = dict(row.effect)
    for key, label in FACTS.items():
        value = effect.get(key)
        if value is None or value == "":
            continue
        if key == "ages" and isinstance(value, list | tuple) and len(value) == 2:
            shown = _("%(from)s—%(to)s 岁") % {"from": value[0], "to": value[1]}
        elif key == "suppliers":
            shown = _("；").join(_supplier(each) for each in value)
        elif key == "application":
            shown = _application(value)
        elif key == "payer":
            shown = payer(str(value))
        elif key in _VALUES:
            shown = _("、").join(
                str(_VALUES[key].get(str(each), each))
                for each in (value if isinstance(value, list) else [value])
            )
        else:
            shown = _listed(value)
        found.append((str(label), shown))
    return found
