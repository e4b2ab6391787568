"""Say what becomes of people who wait: carried over after all, left out, or settled. One or many, audited.

Rules
- A word is about a person and an insurance: carrying over and leaving out settle everything that waits about them, done
  settles the one reason.
- Carried over: a registration is made where there is none, at the place where the person lives now, with what is known of
  last year. Somebody who was never registered begins as new, without a tier.
- Left out: the registration goes, unless something is due or was paid on it: then the resident's page is the place for it.
- Another word may be said later; the list keeps the last one, the trail keeps all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contributions.models import FigureRebuild
from enrollment.models import CollectionPlan, PlanStatus
from foundation.audit.services import record
from foundation.scope.models import ScopedQuerySet
from seasons.models import Confirmation, Decision
from townships.models import User

# People decided on in one go; more are narrowed down first.
MOST: Final = 20_000


class CannotDecide(Exception):
    """Why nothing was decided, in words for whoever asked."""


@dataclass(frozen=True)
class Decided:
    """How many lines got their word, registrations made and taken away, people kept as they are.

    Kept: left out is nobody on whom something is due or paid, carried over nobody who lives beyond the scope.
    """

    lines: int
    made: int
    taken: int
    kept: int


# Everything of the year that waits about the chosen people, as far as the scope shows it.
_CHOOSE: Final = """
CREATE TEMPORARY TABLE season_chosen ON COMMIT DROP AS
SELECT DISTINCT c.resident_id, c.insurance, false AS kept FROM seasons_confirmation c WHERE c.id = ANY (%(ids)s)
"""
_CARRY: Final = """
INSERT INTO enrollment_registration (township_id, unit_id, village_id, resident_id, plan_id, insurance, coverage_year,
    tier, last_tier, is_new, missed_years, repaired_years, closing_reason)
SELECT DISTINCT ON (c.resident_id, c.insurance) r.township_id, r.unit_id, r.village_id, r.id, %(plan)s, c.insurance,
       %(year)s, (c.detail ->> 'tier')::numeric, (c.detail ->> 'last_tier')::numeric,
       c.registration_before_id IS NULL, coalesce((c.detail ->> 'missed')::int, 0),
       coalesce((c.detail ->> 'repaired')::int, 0), ''
FROM season_chosen s
JOIN seasons_confirmation c USING (resident_id, insurance)
JOIN enrollment_resident r ON r.id = c.resident_id
WHERE c.plan_id = %(plan)s AND NOT s.kept
ORDER BY c.resident_id, c.insurance, c.registration_before_id NULLS LAST, c.id
ON CONFLICT (resident_id, insurance, coverage_year) DO NOTHING
"""
_KEEP: Final = """
UPDATE season_chosen s SET kept = true FROM enrollment_registration g
WHERE g.resident_id = s.resident_id AND g.insurance = s.insurance AND g.coverage_year = %(year)s
  AND (EXISTS (SELECT FROM contributions_charge c WHERE c.registration_id = g.id)
       OR EXISTS (SELECT FROM contributions_paymentline l WHERE l.registration_id = g.id)
       OR EXISTS (SELECT FROM contributions_taxentry t WHERE t.registration_id = g.id)
       OR EXISTS (SELECT FROM contributions_pledge s WHERE s.registration_id = g.id)
       OR EXISTS (SELECT FROM contributions_paymentcase k WHERE k.registration_id = g.id))
"""
# Somebody who lives elsewhere by now is for that place, or for the county.
_ELSEWHERE: Final = """
UPDATE season_chosen s SET kept = true
WHERE NOT EXISTS (
    SELECT FROM enrollment_resident r WHERE r.id = s.resident_id AND r.merged_into_id IS NULL
      AND (r.township_id = ANY (%(townships)s) OR r.unit_id = ANY (%(living)s)))
"""
_TAKE: Final = """
DELETE FROM enrollment_registration g USING season_chosen s
WHERE NOT s.kept AND g.resident_id = s.resident_id AND g.insurance = s.insurance AND g.coverage_year = %(year)s
  AND g.plan_id = %(plan)s
"""
_SETTLE: Final = """
UPDATE seasons_confirmation c
SET decision = %(decision)s, decided_by_id = %(by)s, decided_at = now(), carried = EXISTS (
    SELECT FROM enrollment_registration g WHERE g.resident_id = c.resident_id AND g.insurance = c.insurance
      AND g.coverage_year = %(year)s)
FROM season_chosen s
WHERE c.plan_id = %(plan)s AND c.resident_id = s.resident_id AND c.insurance = s.insurance AND NOT s.kept
"""


@transaction.atomic
def decide(*, by: User, plan: CollectionPlan, chosen: ScopedQuerySet, decision: str) -> Decided:
    """Settle the chosen lines (from ``visible_to``) of a plan. Raises CannotDecide, and then nothing has changed."""
    if decision not in Decision.values:
        raise CannotDecide(_("请选择怎样处理。"))
    if plan.status == PlanStatus.CLOSED:
        raise CannotDecide(_("这个年度已经结账，不能再改。"))
    ids = list(
        chosen.filter(plan=plan)
        .order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk", flat=True)[: MOST + 1]
    )
    if not ids:
        raise CannotDecide(_("没有选中任何人，请先勾选。"))
    if len(ids) > MOST:
        raise CannotDecide(_("一次最多处理 %(n)s 人，请先选一个镇街。") % {"n": f"{MOST:,}"})
    places = by.scope_places()
    values: dict[str, Any] = {"townships": sorted(places.townships), "living": sorted(places.units)}
    values |= {"ids": ids, "plan": plan.pk, "year": plan.coverage_year, "by": by.pk, "decision": decision}
    if decision == Decision.DONE:
        lines = Confirmation.objects.filter(pk__in=ids).update(
            decision=decision, decided_by=by, decided_at=timezone.now()
        )
        done = Decided(lines, 0, 0, 0)
    else:
        done = _settle(values)
    if done.made or done.taken:
        FigureRebuild.objects.create(plan=plan)
    _record(by, plan, ids, decision, done)
    return done


def _settle(values: dict[str, Any]) -> Decided:
    made = taken = kept = 0
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.season_chosen")
        cursor.execute(_CHOOSE, values)
        if values["decision"] == Decision.CARRY:
            cursor.execute(_ELSEWHERE, values)
            kept = cursor.rowcount
            cursor.execute(_CARRY, values)
            made = cursor.rowcount
        else:
            cursor.execute(_KEEP, values)
            kept = cursor.rowcount
            cursor.execute(_TAKE, values)
            taken = cursor.rowcount
        cursor.execute(_SETTLE, values)
        lines = cursor.rowcount
        cursor.execute("DROP TABLE pg_temp.season_chosen")
    return Decided(lines, made, taken, kept)


def _record(by: User, plan: CollectionPlan, ids: Sequence[int], decision: str, done: Decided) -> None:
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
    record(
        by=by, action="season.decide", target_kind="plan", target=plan.code, county_code=plan.county.code,
        detail={
            "decision": decision, "lines": done.lines, "made": done.made, "taken": done.taken, "kept": done.kept,
            "chosen": list(ids[:20]), "digest": digest,
        },
    )  # fmt: skip
