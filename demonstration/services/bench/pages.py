"""Pages and reads at the server: a unit of 1,500 residents, and the county's progress.

Cold means: the process has loaded its code and answered another page, and nothing else is at hand; the database
connection is new, no plan is parsed, no template of the page is compiled.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from demonstration.services.bench.measure import Answer, Figures, in_child, median, percentile
from demonstration.services.bench.stage import CLERKS, LEADER, Stage, as_owner, settle
from enrollment.models import Resident
from foundation.scope.context import places_scope
from foundation.warm import warm_up
from progress.services.figures import fold
from townships.models import CollectingUnit, User

UNIT_RESIDENTS: Final = 1500
WARM_REQUESTS: Final = 20
FLOOR_RUNS: Final = 5


def village_api(stage: Stage, with_floor: bool) -> Figures:
    """`GET /api/v1/villages/{code}/residents` for a unit of 1,500; rows are residents of the unit."""
    code, residents = _large_unit(stage)
    return _page(stage, f"/api/v1/villages/{code}/residents", CLERKS[0], residents, with_floor)


def village_page(stage: Stage, with_floor: bool) -> Figures:
    """The household list of a unit of 1,500 as an agent sees it."""
    code, residents = _large_unit(stage)
    return _page(stage, reverse("village:round", args=[code]), CLERKS[0], residents, with_floor)


def has_village_page() -> bool:
    """Whether the household list is among the pages."""
    try:
        reverse("village:round", args=["0"])
    except NoReverseMatch:
        return False
    return True


def progress_page(stage: Stage, with_floor: bool) -> Figures:
    """The leader's county page, figures counted; rows are the units it adds up."""

    def count() -> Answer:
        started = time.perf_counter()
        with places_scope(stage.places):
            fold()
        return {"recount_seconds": round(time.perf_counter() - started, 2)}

    counted = in_child(count)
    settle()
    units = CollectingUnit.objects.filter(township__county=stage.county).count()
    figures = _page(stage, reverse("progress:county"), LEADER, units, with_floor)
    figures.more["recount_seconds"] = counted["recount_seconds"]
    return figures


def _page(stage: Stage, url: str, username: str, rows: int, with_floor: bool) -> Figures:
    answer = in_child(lambda: _visit(url, username))
    statements = answer.pop("statements")
    figures = Figures(rows=rows, seconds=answer.pop("seconds"), peak_mb=answer.pop("peak_mb"), more=answer)
    if with_floor:
        figures.beside(_replay(statements))
    return figures


def _visit(url: str, username: str) -> Answer:
    # Nothing was collected into STATIC_ROOT, and nothing static is asked for.
    warnings.filterwarnings("ignore", message="No directory at")
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(
        User.objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend"
    )
    warm_up()  # as a server process does at its start
    client.get("/")  # the code is loaded and another page answered
    connection.close()
    cold = _timed(lambda: client.get(url))
    used = time.process_time()
    warm = [_timed(lambda: client.get(url)) for _n in range(WARM_REQUESTS)]
    used = time.process_time() - used
    with CaptureQueriesContext(connection) as captured:
        response = client.get(url)
    return {
        "seconds": median(warm),
        "cold_ms": round(cold * 1000, 1),
        "p50_ms": round(median(warm) * 1000, 1),
        "p95_ms": round(percentile(warm, 0.95) * 1000, 1),
        # The portal's own share, PostgreSQL left out: what else the machine does hardly moves it.
        "cpu_ms": round(used / WARM_REQUESTS * 1000, 1),
        "queries": sum(1 for query in captured.captured_queries if _is_read(query["sql"])),
        "bytes": len(response.content),
        "statements": [query["sql"] for query in captured.captured_queries],
    }


def _timed(get: Callable[[], Any]) -> float:
    started = time.perf_counter()
    response = get()
    seconds = time.perf_counter() - started
    if response.status_code != 200:
        raise RuntimeError(f"{response.request['PATH_INFO']} answers {response.status_code}")
    return seconds


def _is_read(statement: str) -> bool:
    return statement.lstrip("( \n").upper().startswith(("SELECT", "WITH"))


def _replay(statements: list[str]) -> float:
    """Seconds of the page's own statements over a bare connection under the same role; rows are fetched."""
    with as_owner() as bare, bare.cursor() as cursor:
        cursor.execute(f"SET ROLE {settings.DATABASE_APP_ROLE}")
        bare.commit()
        seconds = []
        for _run in range(FLOOR_RUNS):
            started = time.perf_counter()
            for statement in statements:
                if _is_read(statement):
                    cursor.execute(statement)
                    cursor.fetchall()
            bare.rollback()
            seconds.append(time.perf_counter() - started)
    return median(seconds)


def _large_unit(stage: Stage) -> tuple[str, int]:
    """Code and residents of the county's largest unit, filled up to 1,500 from units of the same township."""
    if "large_unit" not in stage.kept:
        stage.kept["large_unit"] = in_child(lambda: _fill_up(stage))
        settle()
    return stage.kept["large_unit"]["code"], stage.kept["large_unit"]["residents"]


def _fill_up(stage: Stage) -> Answer:
    with places_scope(stage.places):
        rows = list(Resident.objects.values_list("unit", "township").annotate(n=Count("pk")).order_by("unit"))
    town = {unit: township for unit, township, _n in rows}
    counts = {unit: n for unit, _township, n in rows}
    target = max(counts, key=lambda unit: counts[unit])
    others = sorted((u for u in counts if u != target and town[u] == town[target]), key=lambda u: -counts[u])
    moved: list[int] = []
    while others and counts[target] + sum(counts[u] for u in moved) < UNIT_RESIDENTS:
        moved.append(others.pop(0))
    # Rosters are sealed versions of the units as they were: they stay.
    tables = [
        model._meta.db_table
        for model in apps.get_models()
        if getattr(model, "row_level_security", False)
        and model._meta.app_label in {"enrollment", "contributions"}
        and any(field.name == "unit" for field in model._meta.get_fields())
    ]
    with as_owner() as owner, owner.cursor() as cursor:
        cursor.execute(
            "UPDATE enrollment_household SET number = number || '-' || unit_id WHERE unit_id = ANY (%s)",
            [moved],
        )
        for table in tables:
            cursor.execute(f"UPDATE {table} SET unit_id = %s WHERE unit_id = ANY (%s)", [target, moved])
        # The figures are counted anew for the units as they are now.
        cursor.execute("INSERT INTO contributions_figurerebuild (plan_id) VALUES (%s)", [stage.plan.pk])
        owner.commit()
    unit = CollectingUnit.objects.get(pk=target)
    return {"code": unit.code, "residents": counts[target] + sum(counts[u] for u in moved)}
