"""One resident at a glance: who, with whom, what is due from whom by which clause, what was paid, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from contributions.admin.resident_events import register_lines
from contributions.funding.marks import not_synced
from contributions.models import (
    Charge,
    ChargeShare,
    Decision,
    LinePart,
    PaidDifference,
    Payment,
    PaymentLine,
    Route,
    TaxEntry,
)
from contributions.plans.because import Said
from contributions.plans.differences import DifferenceWords, Line
from contributions.services.explain import Explanation, explain_people
from contributions.village import registered_elsewhere
from contributions.words import payer
from enrollment.models import (
    CollectionPlan,
    Insurance,
    MarkState,
    MarkStep,
    Membership,
    Resident,
    Transfer,
    TransferState,
)
from enrollment.services.life.doubles import merged_into, standing_merges
from foundation.audit.models import AuditEvent
from foundation.clock.services import business_date, offset
from foundation.encryption import get_keyring
from foundation.masking import Audience, mask_phone, number_tail
from foundation.money import format_yuan
from subsidies.rules.source import PlanError
from townships.models import CollectingUnit, User

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Standing:
    """Where one registration stands: a word, its colour, and the figures behind it."""

    word: str
    css: str
    icon: str
    due: Decimal = ZERO
    government: Decimal = ZERO
    paid: Decimal = ZERO


@dataclass(frozen=True)
class Part:
    """A part of the bar: colour, who, how much, and where it begins (yuan from the left)."""

    css: str
    who: str
    amount: Decimal
    start: Decimal


@dataclass(frozen=True)
class Why:
    """A sentence, the words of the plan it stands on and where these stand; words said above are not said again."""

    text: str
    clause: str = ""
    cite: str = ""
    alert: bool = False


@dataclass
class InsuranceView:
    """One insurance of one year."""

    title: str
    decision: str
    decision_css: str
    decision_icon: str
    charge: Charge | None
    standing: Standing | None
    parts: list[Part] = field(default_factory=list)
    total: Decimal = ZERO
    why: list[Why] = field(default_factory=list)
    groups: list[Why] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    difference: Line | None = None
    """What would be due now, where somebody who has paid is another case today."""


@dataclass(frozen=True)
class Happened:
    """A line of the timeline."""

    at: datetime
    text: str
    css: str = ""
    of_day: bool = False
    """Known by its day alone, which is the county's already."""


def standing_of(charge: Charge, paid: Decimal, confirmed: Decimal) -> Standing:
    """A current charge against what was paid for it, net of reversals, and what the tax side confirmed."""
    figures = {"due": charge.personal_amount, "government": charge.government_paid_amount, "paid": paid}
    if charge.decision != Decision.ACCEPT:
        return Standing(str(Decision(charge.decision).label), "", "info", **figures)
    if charge.personal_amount == 0:
        return Standing(_("政府代缴"), "state--done", "check", **figures)
    if paid < charge.personal_amount and charge.registration.closing_reason:
        word = _("已销号：%(why)s") % {"why": charge.registration.closing_reason}
        return Standing(word, "", "info", **figures)
    if paid < charge.personal_amount:
        word = _("没缴") if paid <= 0 else _("没缴齐")
        return Standing(word, "state--wait", "clock", **figures)
    if confirmed >= charge.personal_amount:
        return Standing(_("税务已确认"), "state--done", "check", **figures)
    return Standing(_("待税务回传"), "state--go", "clock", **figures)


def standings(residents: Sequence[int]) -> dict[tuple[int, str], tuple[Charge, Standing]]:
    """Current charges of people by insurance (the newest year), with where each stands; three queries."""
    charges = (
        Charge.objects.filter(resident_id__in=residents, current=True)
        .select_related("registration")
        .order_by("coverage_year", "pk")
    )
    newest = {(c.resident_id, c.insurance): c for c in charges}
    ids = [c.registration_id for c in newest.values()]
    paid: dict[int, Decimal] = {}
    confirmed: dict[int, Decimal] = {}
    lines = PaymentLine.objects.filter(registration_id__in=ids).select_related("tax_entry")
    for line in lines:
        if line.part == LinePart.GOVERNMENT:
            continue  # the government's money is not what he paid
        paid[line.registration_id] = paid.get(line.registration_id, ZERO) + line.amount
        if getattr(line, "tax_entry", None) is not None:
            confirmed[line.registration_id] = confirmed.get(line.registration_id, ZERO) + line.amount
    return {
        key: (c, standing_of(c, paid.get(c.registration_id, ZERO), confirmed.get(c.registration_id, ZERO)))
        for key, c in newest.items()
    }


def age_on(birth: date | None, day: date) -> int | None:
    """Whole years of age."""
    return (
        None if birth is None else day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
    )


def resident_page(user: User, resident: Resident) -> dict[str, Any]:
    """Everything the page shows, within the user's scope and masked for the office.

    Somebody who moved away is shown with what he registered and paid here; how he is reached is for where he lives.
    """
    today = business_date(user.county_code)
    held = Resident.objects.held_by(user).filter(pk=resident.pk).exists()
    records = [resident.pk, *merged_into(resident.pk)]
    members = _members(user, resident)
    found = standings([person.pk for person in members])
    keys = get_keyring()
    number = keys.decrypt(resident.number_encrypted) if resident.number_encrypted else ""
    phone = keys.decrypt(resident.phone_encrypted) if held and resident.phone_encrypted else ""
    own = {insurance: found[key] for key in found if key[0] == resident.pk and (insurance := key[1])}
    views = _insurances(resident, own)
    elsewhere = registered_elsewhere(resident) if held else ""
    others = set(resident.also_units or ())
    all_seen = not others - set(
        CollectingUnit.objects.visible_to(user).filter(pk__in=others).values_list("pk", flat=True)
    )
    if elsewhere and not all_seen:
        # What is registered in another place is not seen from here: saying that he is not registered would be wrong.
        views = [view for view in views if view.charge is not None]
    payments = list(
        Payment.objects.visible_to(user)
        .filter(lines__registration__resident__in=records)
        .distinct()
        .select_related("recorded_by", "reverses")
        .order_by("-handed_over_at", "-pk")
    )
    memberships = list(
        Membership.objects.visible_to(user)
        .filter(resident=resident)
        .select_related("category", "certified_by")
        .order_by("category__position", "-valid_from")
    )
    moved = _moved(memberships)
    plan = _plan_of(resident, own)
    early = not_synced(user, plan, [resident.pk]) if plan is not None else {}
    return {
        "resident": resident,
        "held": held,
        "registered_elsewhere": "" if all_seen else elsewhere,
        "season_here": elsewhere if all_seen else "",
        "waits_for": Transfer.objects.visible_to(user)
        .filter(resident=resident, state=TransferState.OFFERED)
        .select_related("to_unit__township")
        .first(),
        "merges": standing_merges(user, resident.pk) if len(records) > 1 else [],
        "age": age_on(resident.birth_date, today),
        "number_tail": number_tail(number, Audience.OFFICE),
        "phone_masked": mask_phone(phone)[-2:] if phone else "",
        "views": views,
        "first": next((v for v in views if v.charge is not None), views[0] if views else None),
        "household": [
            {
                "person": person,
                "age": age_on(person.birth_date, today),
                "medical": found.get((person.pk, "medical")),
                "pension": found.get((person.pk, "pension")),
            }
            for person in members
        ],
        "household_title": ngettext("一家 %(n)s 口", "一家 %(n)s 口", len(members)) % {"n": len(members)},
        "memberships": [(m, _steps(m, moved)) for m in memberships],
        "not_by_phone": early.get(resident.pk, ZERO),
        "today": today,
        "payments": payments,
        "timeline": _timeline(user, resident, records, memberships, payments),
    }


def _members(user: User, resident: Resident) -> list[Resident]:
    if resident.household_id is None:
        return [resident]
    rows = Resident.objects.visible_to(user).filter(
        Q(left_on=None) | Q(pk=resident.pk), household_id=resident.household_id, merged_into=None
    )
    return list(rows.order_by("-is_head", "birth_date", "pk"))


def _moved(memberships: Sequence[Membership]) -> list[MarkStep]:
    """Who moved the marks, and when."""
    steps = MarkStep.objects.filter(membership__in=memberships)
    return list(steps.select_related("by", "membership__category").order_by("pk"))


def _steps(membership: Membership, moved: Sequence[MarkStep]) -> list[tuple[str, bool, date | None]]:
    """The states of a mark, whether they are reached, and on which day."""
    reached = list(MarkState).index(MarkState(membership.mark))
    days = {step.to_state: step.on for step in moved if step.membership_id == membership.pk}
    return [
        (str(state.label), i <= reached, days.get(state.value) if i <= reached else None)
        for i, state in enumerate(MarkState)
    ]


def _insurances(resident: Resident, own: dict[str, tuple[Charge, Standing]]) -> list[InsuranceView]:
    plan = _plan_of(resident, own)
    if plan is None:
        return []
    try:
        told = explain_people(plan=plan, residents=[resident.pk], shut_out=True)
        explained = {each.insurance: each for each in told.get(resident.pk, [])}
    except PlanError:  # a draft that cannot be read yet: what is due and paid is still shown
        explained = {}
    shares: dict[int, list[ChargeShare]] = {}
    for share in ChargeShare.objects.filter(charge__in=[c for c, _s in own.values()]).order_by("pk"):
        shares.setdefault(share.charge_id, []).append(share)
    found = PaidDifference.objects.filter(resident=resident, plan=plan, standing=True)
    words = DifferenceWords(plan)
    differences = {row.insurance: words.line(row) for row in found.select_related("resident", "case")}
    disbursed = {
        row["registration"]: row
        for row in PaymentLine.objects.filter(
            registration__in=[charge.registration_id for charge, _s in own.values()], part=LinePart.GOVERNMENT
        )
        .values("registration")
        .annotate(amount=Sum("amount"), on=Max("payment__paid_on"))
    }
    views = []
    for insurance in (Insurance.MEDICAL, Insurance.PENSION):
        if insurance not in plan.insurances:
            continue
        charge, standing = own.get(insurance, (None, None))
        view = _insurance(plan, insurance, charge, standing, shares, explained.get(insurance))
        if charge is not None and charge.government_paid_amount:
            view.notes.append(_government_words(disbursed.get(charge.registration_id)))
        view.difference = differences.get(insurance)
        views.append(view)
    return views


def _government_words(disbursed: dict[str, Any] | None) -> str:
    """Whether finance has paid yet; cover does not wait for it (X26)."""
    if disbursed is None:
        return _("财政还没有拨付，不影响待遇：待遇从认定起算")
    return _("财政已于 %(day)s 拨付 %(amount)s 元") % {
        "day": disbursed["on"], "amount": format_yuan(disbursed["amount"]),
    }  # fmt: skip


def _plan_of(resident: Resident, own: dict[str, tuple[Charge, Standing]]) -> CollectionPlan | None:
    plans = CollectionPlan.objects.select_related("county").order_by("-coverage_year", "-version")
    if own:
        newest = max(own.values(), key=lambda pair: pair[0].coverage_year)[0]
        return plans.filter(pk=newest.plan_id).first()
    return plans.in_force().filter(county_id=resident.county_id).first()


def _insurance(
    plan: CollectionPlan,
    insurance: Insurance,
    charge: Charge | None,
    standing: Standing | None,
    shares: dict[int, list[ChargeShare]],
    told: Explanation | None,
) -> InsuranceView:
    title = _("%(insurance)s，%(year)s 年度") % {"insurance": insurance.label, "year": plan.coverage_year}
    if told is None and charge is None:
        return InsuranceView(title, _("没有参保登记"), "", "info", None, None)
    decision = Decision(charge.decision if charge is not None else (told.decision if told else "refuse"))
    css, icon = {
        Decision.ACCEPT: ("state--done", "check"),
        Decision.HOLD: ("state--wait", "clock"),
        Decision.REFER: ("state--wait", "alert"),
    }.get(decision, ("", "info"))
    view = InsuranceView(title, str(decision.label), css, icon, charge, standing)
    if told is not None:
        quoted: set[str] = set()
        view.why = _cited(plan, told.why, quoted)
        view.groups = _cited(plan, told.groups, quoted)
    if charge is not None:
        _fill_parts(view, plan, charge, shares.get(charge.pk, []))
    return view


def _fill_parts(view: InsuranceView, plan: CollectionPlan, charge: Charge, shares: list[ChargeShare]) -> None:
    printed = plan.document.get("payers", {}) if isinstance(plan.document, dict) else {}
    rows: list[tuple[str, str, Decimal]] = [("mine", payer("personal"), charge.personal_amount)]
    rows += [("gov", payer(s.payer, printed), s.amount) for s in shares]
    if not shares and charge.government_paid_amount:
        rows.append(("gov", payer("government", printed), charge.government_paid_amount))
    rows.append(("fiscal", payer("fiscal_subsidy"), charge.fiscal_subsidy_amount))
    rows.append(("fiscal", payer("pension_subsidy"), charge.pension_government_subsidy))
    rows.append(("fiscal", payer("family_planning_subsidy"), charge.family_planning_subsidy))
    start = ZERO
    for css, who, amount in rows:
        if amount or css == "mine":
            view.parts.append(Part(css, who, amount, start))
            start += amount
    view.total = start


def _cited(plan: CollectionPlan, said: Iterable[Said], quoted: set[str]) -> list[Why]:
    """Sentences with their clauses; ``quoted`` are those that stand on the page already."""
    found = []
    paper = plan.document_number or plan.name
    for each in said:
        if not each.clause:
            found.append(Why(each.text, alert=each.alert))
            continue
        values = {"paper": paper, "lines": each.lines.lstrip("L")}
        own = each.lines.startswith("L")
        cite = _("%(paper)s，第 %(lines)s 行") % values if own else each.lines
        found.append(Why(each.text, "" if each.clause in quoted else each.clause, cite, each.alert))
        quoted.add(each.clause)
    return found


_ACTS = {
    "membership.change": gettext_noop("改了特殊群体的止期或等级"),
    "number.read": gettext_noop("看了身份证全号"),
}


def _timeline(
    user: User,
    resident: Resident,
    records: Sequence[int],
    memberships: Iterable[Membership],
    payments: Sequence[Payment],
) -> list[Happened]:
    shift = offset(user.county_code)  # moments are real; the county's own day stands on the page
    happened = [_of_payment(p, shift) for p in payments]
    entries = TaxEntry.objects.visible_to(user).filter(registration__resident__in=records)
    happened += [
        Happened(
            _noon(e.settled_on or e.invoiced_on),
            _("税务回传 %(amount)s 元，税票尾号 %(tail)s")
            % {"amount": format_yuan(e.amount), "tail": e.voucher[-4:]},
            "is-money",
            of_day=True,
        )
        for e in entries
    ]
    charges = Charge.objects.visible_to(user).filter(resident__in=records).order_by("-pk")
    happened += [
        Happened(
            c.created_at,
            _("%(insurance)s应缴 %(amount)s 元，第 %(version)s 版")
            % {
                "insurance": Insurance(c.insurance).label,
                "amount": format_yuan(c.personal_amount),
                "version": c.version,
            },
        )
        for c in charges[:20]
    ]
    happened += [
        Happened(
            step.at,
            _("%(who)s：%(group)s的标识到了“%(mark)s”")
            % {
                "who": step.by or _("系统"),
                "group": step.membership.category.name,
                "mark": MarkState(step.to_state).label,
            },
        )
        for step in _moved(list(memberships))
    ]
    happened += [Happened(told.at, told.text, told.css) for told in register_lines(user, resident)]
    targets = [("resident", [str(resident.pk)]), ("membership", [str(m.pk) for m in memberships])]
    for kind, ids in targets:
        events = AuditEvent.objects.filter(target_kind=kind, target__in=ids).select_related("actor")
        happened += [_of_event(e) for e in events.order_by("-id")[:50] if e.action in _ACTS]
    return sorted(
        (h if h.of_day else replace(h, at=h.at + shift) for h in happened), key=lambda h: h.at, reverse=True
    )


def _noon(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day, 12))  # noqa: DTZ001 - made aware here


def _of_payment(payment: Payment, shift: timedelta) -> Happened:
    """At its moment, or on its day alone where a file told only the day."""
    at = payment.handed_over_at
    told = timezone.localtime(at + shift).date() == payment.paid_on
    return replace(_payment_words(payment), at=at if told else _noon(payment.paid_on), of_day=not told)


def _payment_words(payment: Payment) -> Happened:
    if payment.reverses_id is not None:
        text = _("冲销 %(amount)s 元：%(reason)s") % {
            "amount": format_yuan(-payment.received), "reason": payment.reason,
        }  # fmt: skip
        return Happened(payment.handed_over_at, text, "is-open")
    if payment.route == Route.GOVERNMENT:
        text = _("政府代缴 %(amount)s 元，%(who)s拨付") % {
            "amount": format_yuan(payment.received), "who": payment.payer_name,
        }  # fmt: skip
        return Happened(payment.handed_over_at, text, "is-money")
    how = payment.channel or str(payment.get_means_display())
    who = _("，%(who)s付") % {"who": payment.payer_name} if payment.payer_name else ""
    text = _("缴 %(amount)s 元%(who)s，%(how)s。登记号尾 %(tail)s") % {
        "amount": format_yuan(payment.received), "who": who, "how": how, "tail": payment.slip_number[-4:],
    }  # fmt: skip
    return Happened(payment.handed_over_at, text, "is-money")


def _of_event(event: AuditEvent) -> Happened:
    act = _(_ACTS[event.action])
    return Happened(event.at, f"{event.actor or _('系统')}：{act}")
