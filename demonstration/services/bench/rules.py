"""The evaluator at its other sizes: a county's budget under a change, and one resident."""

from __future__ import annotations

import time

from contributions.services.assess import assess
from contributions.services.quotes import evaluate_resident
from contributions.services.what_if import registered_count, what_if
from demonstration.services.bench.measure import Answer, Figures, in_child, median, percentile
from demonstration.services.bench.stage import Stage, settle
from enrollment.models import Resident
from foundation.scope.context import places_scope

# The first standard of the plan's medical part, raised by thirty yuan: everybody's charge is priced twice.
RAISED = {"medical.personal": "380"}
PEOPLE = 200


def budget(stage: Stage, with_floor: bool) -> Figures:
    """`what_if` over everybody registered; rows are registrations. Judged by its seconds, so it has no floor."""
    del with_floor
    settle()

    def work() -> Answer:
        with places_scope(stage.places):
            rows = registered_count(stage.plan)
            found = what_if(plan=stage.plan, changes=RAISED, on=stage.spec.as_of)
        return {"rows": rows, "seconds": found.seconds, "affected": found.affected}

    return _figures(in_child(work))


def one_resident(stage: Stage, with_floor: bool) -> Figures:
    """Residents one by one: asking the evaluator, and assessing with its writes; p50 and p95 are of assessing."""
    del with_floor

    def work() -> Answer:
        with places_scope(stage.places):
            people = list(Resident.objects.order_by("pk").values_list("pk", flat=True)[:PEOPLE])
            asked, assessed = [], []
            for resident in people:
                started = time.perf_counter()
                evaluate_resident(
                    plan=stage.plan,
                    insurance="medical",
                    resident=resident,
                    on=stage.spec.as_of,
                    route="village",
                )
                asked.append(time.perf_counter() - started)
                started = time.perf_counter()
                assess(by=None, plan=stage.plan, residents=[resident], on=stage.spec.as_of, recount=False)
                assessed.append(time.perf_counter() - started)
        return {
            "rows": len(people), "seconds": sum(assessed),
            "p50_ms": round(median(assessed) * 1000, 1), "p95_ms": round(percentile(assessed, 0.95) * 1000, 1),
            "asked_p95_ms": round(percentile(asked, 0.95) * 1000, 1),
        }  # fmt: skip

    return _figures(in_child(work))


def _figures(answer: Answer) -> Figures:
    return Figures(
        rows=answer.pop("rows"), seconds=answer.pop("seconds"), peak_mb=answer.pop("peak_mb"), more=answer
    )
