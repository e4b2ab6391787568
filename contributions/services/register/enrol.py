"""A new enrollee at the office (E085): papers on the table, the person in the register, registrations, what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from contributions.services.register.effects import renew, units_of
from enrollment.models import (
    CollectionPlan,
    EventKind,
    Household,
    IdKind,
    Insurance,
    Registration,
    Resident,
    Tier,
)
from enrollment.models.register import RegistrationArea
from enrollment.rules import PAPERS, papers_needed
from enrollment.services.life.common import check_evidence, held_resident, tell
from enrollment.services.life.people import Newcomer, take_in
from enrollment.words import PAPERS as PAPER_WORDS
from foundation.clock.services import business_date
from foundation.scope.context import with_units
from townships.models import CollectingUnit, User


@dataclass(frozen=True)
class Wanted:
    """What somebody registers for, under which plan; a pension tier in yuan."""

    plan: CollectionPlan
    insurances: Sequence[str] = ()
    tier: str = ""
    papers: Sequence[str] = field(default_factory=tuple)


def check_papers(*, newborn: bool, outsider: bool, papers: Sequence[str]) -> list[str]:
    """The papers that were ticked. Raises ValidationError naming those still missing."""
    ticked = [code for code in PAPERS if code in set(papers)]
    missing = [code for code in papers_needed(newborn=newborn, outsider=outsider) if code not in ticked]
    if missing:
        words = "、".join(str(PAPER_WORDS[code]) for code in missing)
        raise ValidationError(
            {"papers": _("材料还不齐：%(what)s。看过原件再勾选，材料不齐先不要收钱。") % {"what": words}}
        )
    return ticked


@transaction.atomic
def enrol_newcomer(
    *,
    by: User,
    unit: CollectingUnit,
    newcomer: Newcomer,
    wanted: Wanted,
    on: date,
    evidence: str = "",
    household: Household | None = None,
    household_number: str = "",
    source: str = "",
) -> Resident:
    """Take a person into the register and register him, before any money is taken. Raises ValidationError by field."""
    papers = check_papers(
        newborn=newcomer.id_kind == IdKind.BIRTH_CERTIFICATE,
        outsider=newcomer.registration_area != RegistrationArea.LOCAL,
        papers=wanted.papers,
    )
    row = take_in(
        by=by, unit=unit, newcomer=newcomer, on=on, household=household, household_number=household_number,
        papers=papers, source=source,
        evidence=evidence or "、".join(str(PAPER_WORDS[code]) for code in papers),
    )  # fmt: skip
    if wanted.insurances:
        _register(by, row, wanted, on)
    renew(by, [row.pk])
    return row


@transaction.atomic
def register_resident(*, by: User, resident: int, wanted: Wanted, evidence: str = "") -> list[Registration]:
    """Register somebody of the register for an insurance he is not registered for. Raises ValidationError by field."""
    row = held_resident(by, resident)
    if row.death_date is not None or row.left_on is not None:
        raise ValidationError(_("已登记死亡、迁出或注销的人不能参保登记。"))
    papers = check_papers(
        newborn=row.id_kind == IdKind.BIRTH_CERTIFICATE,
        outsider=row.registration_area != RegistrationArea.LOCAL,
        papers=wanted.papers,
    )
    words = check_evidence(evidence or "、".join(str(PAPER_WORDS[code]) for code in papers))
    today = business_date(by.county_code)
    with with_units(units_of([row])):
        made = _register(by, row, wanted, today)
        tell(
            by=by, kind=EventKind.ENROLLED, residents=[row], on=today, evidence=words,
            detail={
                "papers": papers, "insurances": [g.insurance for g in made], "year": wanted.plan.coverage_year
            },
        )  # fmt: skip
        renew(by, [row.pk])
    return made


def _register(by: User, row: Resident, wanted: Wanted, on: date) -> list[Registration]:
    plan = wanted.plan
    if plan.county_id != by.county_id or not plan.takes_charges:
        raise ValidationError({"plan": _("请选本县区还在征缴的方案。")})
    chosen = [i for i in Insurance.values if i in set(wanted.insurances) and i in plan.insurances]
    if not chosen:
        raise ValidationError({"insurances": _("请勾选参保的险种。")})
    tier = _tier(plan, wanted.tier) if Insurance.PENSION in chosen else None
    known = Registration.objects.filter(resident=row, coverage_year=plan.coverage_year)
    for insurance in chosen:
        first = known.filter(insurance=insurance).select_related("unit__township").first()
        if first is not None:
            raise ValidationError(
                {
                    "insurances": _("%(insurance)s本年度已经在%(place)s登记，不用再登记。")
                    % {
                        "insurance": Insurance(insurance).label,
                        "place": f"{first.unit.township.name}{first.unit.name}",
                    }
                }
            )
    before = set(Registration.objects.filter(resident=row).values_list("insurance", flat=True))
    try:
        with transaction.atomic():
            return [
                Registration.objects.create(
                    township_id=row.township_id, unit_id=row.unit_id, village_id=row.village_id, resident=row,
                    plan=plan, insurance=insurance, coverage_year=plan.coverage_year,
                    tier=tier if insurance == Insurance.PENSION else None, is_new=insurance not in before,
                    registered_on=on,
                )
                for insurance in chosen
            ]  # fmt: skip
    except IntegrityError:
        raise ValidationError({"insurances": _("刚刚有人登记了同一个险种，请刷新后再看。")}) from None


def _tier(plan: CollectionPlan, raw: str) -> Decimal:
    try:
        wanted = Decimal(raw).quantize(Decimal("0.01"))
    except InvalidOperation:
        raise ValidationError({"tier": _("请选养老档次。")}) from None
    if not Tier.objects.filter(plan=plan, amount=wanted).exists():
        raise ValidationError({"tier": _("方案里没有这个档次，请从列出的里面选。")})
    return wanted
