"""A new year opened from the last: everybody's registrations carried over, beside a plain INSERT … SELECT."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from django.db import connection

from demonstration.services.bench.floors import run_floor
from demonstration.services.bench.measure import Answer, Figures, in_child
from demonstration.services.bench.stage import Stage, as_owner, forget_uploads, settle
from demonstration.services.bench.steps import measure
from demonstration.synthetic.next_year import next_year
from enrollment.models import CollectionPlan
from foundation.commands import answer_of
from foundation.jobs.models import JobState
from foundation.jobs.services.queue import follow
from foundation.scope.context import places_scope
from seasons.services.opening import CannotOpen, first_day, request_opening

# The season went on after the tax results of the demonstration's day: of a hundred who owe, eight never pay.
_PAY_UP: Final = """
WITH owing AS MATERIALIZED (
    SELECT c.*, nextval(pg_get_serial_sequence('contributions_payment', 'id')) AS payment
    FROM contributions_charge c
    WHERE c.plan_id = %(plan)s AND c.current AND c.personal_amount > 0 AND c.registration_id %% 100 >= 8
      AND NOT EXISTS (SELECT FROM contributions_paymentline l WHERE l.registration_id = c.registration_id)
), paid AS (
    INSERT INTO contributions_payment (id, township_id, unit_id, client_uuid, body_digest, plan_id, payer_name,
        paid_for_others, route, means, channel, device_id, handed_over_at, paid_on, received, allocated, excess, reason)
    SELECT o.payment, o.township_id, o.unit_id, gen_random_uuid(), '', o.plan_id, '', false, 'village', 'qr', '',
        (SELECT min(id) FROM townships_device), now(), %(on)s, o.personal_amount, o.personal_amount, 0, '' FROM owing o
)
INSERT INTO contributions_paymentline (township_id, unit_id, payment_id, registration_id, charge_id, charge_version,
    insurance, tier, amount)
SELECT o.township_id, o.unit_id, o.payment, o.registration_id, o.id, o.version, o.insurance, o.tier, o.personal_amount
FROM owing o
"""
LEFT_BY_OPENING = ("seasons_confirmation", "seasons_seasonopening", "jobs_job")


def open_season(stage: Stage, with_floor: bool) -> Figures:
    """`open_season` of the whole county after a year of tax results; rows are registrations of last year.

    The floor carries the same registrations by one INSERT … SELECT that knows deaths, employment, school and age,
    and copies the lines to confirm.
    """
    source = stage.plan
    plan = _ready(stage, source)

    def work() -> Answer:
        with places_scope(stage.places), connection.cursor() as cursor:  # a run before this one
            cursor.execute("DELETE FROM enrollment_registration WHERE plan_id = %s", [plan.pk])
        started = time.perf_counter()
        try:
            with places_scope(stage.places):
                job = request_opening(by=None, plan=plan, source=source)
        except CannotOpen as error:
            raise RuntimeError(str(error)) from None
        job = follow(job, report=lambda _job: None, own_hands_after=-1.0)
        seconds = time.perf_counter() - started
        if job.state != JobState.SUCCEEDED:
            raise RuntimeError(f"the opening is {job.state}: {job.error}")
        return {
            "rows": job.result["looked_at"], "seconds": seconds, "carried": job.result["registrations"],
            "listed": job.result["listed"],
        }  # fmt: skip

    values = {
        "plan": plan.pk, "year": plan.coverage_year, "source": source.pk, "year_before": source.coverage_year,
        "on": first_day(plan),
    }  # fmt: skip

    def floor() -> tuple[float, bool]:
        return run_floor("season", values)

    return measure(stage, work, floor if with_floor else None, LEFT_BY_OPENING)


def _ready(stage: Stage, source: CollectionPlan) -> CollectionPlan:
    """Last year's money in the tables, and a plan of the year after loaded."""
    if "next_year" not in stage.kept:
        county, path = stage.spec.code[:6], Path(stage.out, "next-year.yaml")
        path.write_text(next_year(source.document["text"], source.coverage_year), encoding="utf-8")

        def bring() -> Answer:
            answer_of(
                "import_file", "tax_results", str(stage.files / "tax_results.csv"), "--county", county,
                "--plan", stage.spec.plan,
            )  # fmt: skip
            forget_uploads()
            return {"plan": answer_of("load_plan", str(path))["plan"]}

        stage.kept["next_year"] = in_child(bring)["plan"]
        with as_owner() as owner, owner.cursor() as cursor:
            cursor.execute(_PAY_UP, {"plan": source.pk, "on": stage.spec.as_of})
            owner.commit()
        settle()
    return CollectionPlan.objects.in_force().select_related("county").get(code=stage.kept["next_year"])
