"""An answer of the evaluator in sentences, each with the clause it stands on: what a clerk says on the telephone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contributions.plans.words import AREAS, PERMITS, ROUTES, category, sentence
from contributions.words import TIMINGS, WARNINGS, Word, reason
from foundation.documents.posted_list import chinese_date
from foundation.money import format_yuan
from subsidies.rules.conditions import Condition, Group
from subsidies.rules.outcomes import EXTRA_CODE
from subsidies.rules.periods import periods
from subsidies.rules.plan import Plan, RuleRow
from subsidies.rules.reasons import age_reference, prior_year_end

# Who decides what the plan leaves open.
OFFICES: Final[dict[str, Word]] = {
    "pension": gettext_lazy("人社部门"),
    "medical": gettext_lazy("医保部门"),
}
_BACK_PAYMENT: Final = "back_payment"


@dataclass(frozen=True)
class Said:
    """One sentence and what it stands on; a reading that no clause speaks of has no clause."""

    text: str
    rule: str = ""
    clause: str = ""
    lines: str = ""
    alert: bool = False
    """Somebody must do something about it, or may not pay at all."""

    def as_json(self) -> dict[str, str]:
        """As the command and the API give it."""
        return {"text": self.text, "rule": self.rule, "clause": self.clause, "lines": self.lines}


def because(book: Plan, insurance: str, answer: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Said]:
    """Why an answer is what it is: whether, how much and by whom, from when, and what is worth knowing besides.

    `answer` has the keys of RESULT_COLUMNS, `facts` those of FACT_COLUMNS with dates as dates.
    """
    cover = list(_cover(book, answer, facts))
    told = [
        *_against(book, insurance, answer, facts),
        *_amount(book, answer, facts),
        *([] if cover and answer["timing"] != "out_of_period" else _timing(book, insurance, answer, facts)),
        *cover,
        *(
            _said(str(WARNINGS.get(each, each)), _warned(book, each), alert=True)
            for each in answer["warnings"] or ()
        ),
        *_missed(book, insurance, answer, facts),
    ]
    return [each for each in told if each.text]


def other_groups(
    book: Plan, insurance: str, answer: Mapping[str, Any], facts: Mapping[str, Any]
) -> list[Said]:
    """Of the groups a person belongs to, those that changed nothing, and why: “我有残疾证，怎么还缴？”

    Names groups: for the office, never for a paper or the agent's device.
    """
    if answer["decision"] not in ("accept", "hold"):
        return []
    rules = _helping(book, insurance)
    own = list(facts["categories"] or ())
    severe = book.settings.grades("medical.severe_grades")
    used = _named(rules.get(answer["waiver_code"] or ""), facts, severe)
    nearest = next((code for code, condition in rules.items() if condition.groups), None)
    found = []
    for code in own:
        if code in used:
            continue
        fits = [rule for rule, condition in rules.items() if code in _named(condition, facts, severe)]
        name = _group_name(code, facts)
        if fits and answer["waiver_code"]:
            text = _("%(group)s也有人代缴；几项只取一项，已按本人缴得最少的算。") % {"group": name}
            found.append(_said(text, _at(book, fits[0])))
        elif fits:
            text = _("%(group)s本来有人代缴，这个途径或这个户籍不享受。") % {"group": name}
            found.append(_said(text, _at(book, fits[0])))
        elif nearest:
            text = _("%(group)s不在本方案%(insurance)s代缴的名单里。") % {
                "group": name, "insurance": _("医疗") if insurance == "medical" else _("养老"),
            }  # fmt: skip
            found.append(_said(text, _at(book, nearest)))
    return found


# whether


def _against(
    book: Plan, insurance: str, answer: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[Said]:
    """What stands against it, or has to come first; nothing where somebody is accepted."""
    decision, code = answer["decision"], answer["decision_code"]
    why = _why_not(book, answer["reason"], insurance, facts)
    if decision == "refuse":
        yield _said(_("%(why)s，不能参保。") % {"why": why}, _at(book, code), alert=True)
    elif decision == "refer":
        text = _("%(why)s，转%(office)s核定。") % {"why": why, "office": OFFICES[insurance]}
        yield _said(text, _at(book, code), alert=True)
    elif decision == "hold" and answer["reason"]:
        yield _said(_("%(why)s。") % {"why": why}, _at(book, code))
    elif decision == "hold":
        opens = periods(book, insurance, book.settings).opens
        text = _("还没到缴费期，%(day)s开始。") % {"day": chinese_date(opens)}
        yield _said(text, _at(book, code))
    elif decision == "amount_not_configured":
        yield _said(_("在参保范围内，缴费标准还没有录入。"), _at(book, answer["standard_code"] or code))


def _timing(
    book: Plan, insurance: str, answer: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[Said]:
    """Into which period the day of payment falls, where the first day of cover does not say it."""
    if answer["decision"] != "accept" or not answer["timing"]:
        return
    window = next(each for each in book.windows if each.insurance == insurance and each.kind == "collection")
    late = book.medical.late if book.medical and answer["timing"] == "late" else None
    values = {"day": chinese_date(facts["payment_date"]), "timing": TIMINGS[answer["timing"]]}
    yield _said(_("按%(day)s缴费算，%(timing)s。") % values, _at(book, late.code if late else window.code))


def _why_not(book: Plan, code: str | None, insurance: str, facts: Mapping[str, Any]) -> str:
    """The reason with the facts it rests on."""
    words = reason(code or "")
    born, paid = facts["birth_date"], facts["payment_date"]
    match code:
        case "under_16":
            day = age_reference(book, book.settings, "pension.min_age_reference").last or paid
            return _("%(born)s出生，到%(day)s%(years)s周岁，不到参保年龄") % _aged(born, day)
        case "age_60_or_more":
            return _("%(born)s出生，到%(day)s已满%(years)s周岁") % _aged(
                born, prior_year_end(book).last or paid
            )
        case "deceased":
            return _("%(day)s已经死亡") % {"day": chinese_date(facts["death_date"])}
        case "not_in_scope" if facts["household_registration"] in AREAS:
            area = str(AREAS[facts["household_registration"]])
            permit = str(PERMITS.get(facts["residence_permit"] or "false", ""))
            return _("%(area)s，%(permit)s，%(words)s") % {"area": area, "permit": permit, "words": words}
        case "route_closed" if facts["route"] in ROUTES:
            return _("%(route)s%(day)s已经停收") % {
                "route": ROUTES[facts["route"]], "day": chinese_date(paid),
            }  # fmt: skip
        case "newborn":
            return _("%(born)s出生的新生儿") % {"born": chinese_date(born)}
        case "unknown_tier":
            return _("方案里没有%(tier)s元这一档") % {"tier": _plain(facts["tier"])}
        case "tier_100_not_allowed":
            return _("%(tier)s元档次只供规定的群体") % {"tier": _plain(facts["tier"])}
    return words


def _aged(born: date | None, day: date) -> dict[str, object]:
    if born is None:
        return {"born": _("未知日期"), "day": chinese_date(day), "years": "—"}
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return {"born": chinese_date(born), "day": chinese_date(day), "years": years}


# how much, by whom


def _amount(book: Plan, answer: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Said]:
    if answer["personal_amount"] is None:
        return
    standard = book.rule(answer["standard_code"] or "")
    if standard is not None and standard.kind == "tiers":
        tiers = book.contribution().tiers
        own = next((each.restricted_code for each in tiers if each.amount == facts["tier"]), "")
        rule = book.rule(own) if own else None
        text = _("选了%(tier)s元档次。") % {"tier": _plain(facts["tier"])}
        yield _said(text + (sentence(book, rule) + _("。") if rule else ""), rule or standard)
    elif standard is not None:
        yield _said(sentence(book, standard) + _("。"), standard)
    late = book.medical.late if book.medical else None
    if (
        answer["timing"] == "late"
        and late is not None
        and late.price == "total_cost"
        and standard is not None
    ):
        row = book.rule(late.code)
        yield _said(_("逾期要缴个人和财政补助的全额。"), row)
    yield from _help(book, answer, facts)
    for code in dict.fromkeys((answer["subsidy_code"], answer["family_code"])):
        rule = book.rule(code or "")
        if rule is not None and rule.kind != "standard":
            yield _said(sentence(book, rule) + _("。"), rule)


def _help(book: Plan, answer: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Said]:
    """The one waiver or government-paid rule, with the age it rests on."""
    code = answer["waiver_code"]
    if not code:
        return
    rule = book.rule(code)
    if rule is None:
        yield Said(_("按本方案的设置，另外代缴的群体。"), EXTRA_CODE)
        return
    text = sentence(book, rule) + _("。")
    condition = _helping(book, rule.insurance).get(code, Condition())
    if condition.age or condition.born:
        medical = rule.insurance == "medical"
        aged = (
            age_reference(book, book.settings, "medical.age_reference_date")
            if medical
            else prior_year_end(book)
        )
        reference = prior_year_end(book) if condition.born else aged
        day = reference.last or facts["payment_date"]
        text = _("%(born)s出生，到%(day)s满%(years)s周岁。") % _aged(facts["birth_date"], day) + text
    yield _said(text, rule)


# from when


def _cover(book: Plan, answer: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Said]:
    if answer["benefit_start"] is None or book.medical is None or book.medical.cover is None:
        return
    first, last = answer["benefit_start"], answer["benefit_end"]
    days = {
        "first": chinese_date(first),
        "last": chinese_date(last),
        "paid": chinese_date(facts["payment_date"]),
    }
    if answer["timing"] != "late" and first == book.medical.cover[0]:
        rule = next(iter(book.of_kind("cover")))
        yield _said(_("按时缴费，%(first)s至%(last)s都能报销。") % days, rule)
        return
    code = answer["decision_code"]
    moved = book.rule(code or "")
    if moved is not None and moved.kind == "interruption":
        days |= {"missed": str(facts["missed_years"] or 0), "repaired": str(facts["repaired_years"] or 0)}
        text = _("此前断保%(missed)s年、修复%(repaired)s年，%(first)s起能报销，到%(last)s。") % days
    elif moved is not None and moved.kind == "special_cases":
        text = _("新生儿按期缴费，自%(first)s起能报销，到%(last)s。") % days
    elif first == book.medical.cover[0]:
        moved = next(iter(book.of_kind("cover")))
        text = _("期内已经认定、登记，%(first)s至%(last)s都能报销，不看资金哪天到。") % days
    elif first <= facts["payment_date"]:
        text = _("不设等待期，%(first)s起能报销，到%(last)s。") % days
    else:
        text = _("%(paid)s缴费，等待期满，%(first)s起能报销，到%(last)s。") % days
        late = book.medical.late
        moved = book.rule(late.code) if late is not None else moved
        if moved is not None:
            text = sentence(book, moved) + _("。") + text
    yield _said(text, moved)


def _warned(book: Plan, warning: str) -> RuleRow | None:
    """The rule of a warning: the whole household, or the late regime that leaves no cover."""
    return next(iter(book.of_kind("household" if warning == "household_incomplete" else "late")), None)


def _missed(
    book: Plan, insurance: str, answer: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[Said]:
    """Years somebody may pay back for pension, where the plan hands such payments over to an office."""
    years = (facts["missed_years"] or 0) - (facts["repaired_years"] or 0)
    if insurance != "pension" or years <= 0 or answer["decision"] == "refuse":
        return
    cases = (rule for rule in book.of_kind("special_cases") if rule.effect.get("kind") == _BACK_PAYMENT)
    rule = next((rule for rule in cases if rule.insurance in ("", insurance)), None)
    if rule is not None:
        text = _("中断了%(years)s年，可以补缴，由%(office)s核定。") % {
            "years": years,
            "office": OFFICES[insurance],
        }
        yield _said(text, rule)


# rules and their clauses


def _helping(book: Plan, insurance: str) -> dict[str, Condition]:
    """The rules by which others pay for a resident, in the plan's order."""
    if insurance == "medical" and book.medical is not None:
        return {each.code: each.condition for each in book.medical.waivers}
    if insurance == "pension" and book.pension is not None:
        return {each.code: each.condition for each in book.pension.government_paid}
    return {}


def _named(condition: Condition | None, facts: Mapping[str, Any], severe: tuple[int, ...]) -> set[str]:
    """The person's groups that a condition names, a disability card only of its grades."""
    if condition is None:
        return set()

    def holds(group: Group, code: str) -> bool:
        grades = severe if group.severe else group.grades
        return code in group.categories and (not grades or facts["disability_grade"] in grades)

    return {code for code in facts["categories"] or () for group in condition.groups if holds(group, code)}


def _group_name(code: str, facts: Mapping[str, Any]) -> str:
    if code == "disabled" and facts["disability_grade"]:
        return _("残疾%(grade)s级") % {"grade": facts["disability_grade"]}
    return category(code)


def _said(text: str, rule: RuleRow | None, *, alert: bool = False) -> Said:
    """A sentence with the clause of a rule; a reading that no rule speaks of is said without."""
    if rule is None:
        return Said(text, alert=alert)
    return Said(text, rule.code, rule.clause.text, rule.clause.lines, alert)


def _at(book: Plan, code: str | None) -> RuleRow | None:
    return book.rule(code) if code else None


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else format_yuan(Decimal(amount)).removesuffix(".00")
