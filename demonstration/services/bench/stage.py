"""A database of the bench's own, with divisions, plan and people at their posts; gone at the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import dj_database_url
import psycopg2
from celery import current_app
from django.core.management import call_command
from django.db import connections, transaction
from psycopg2 import sql

from demonstration.services.bench.measure import Answer, in_child
from demonstration.synthetic import make_files, scaled_targets
from demonstration.synthetic.model import CountySpec
from demonstration.synthetic.pricing import pricer
from enrollment.models import CollectionPlan, Target
from foundation.clock.services import set_business_date
from foundation.commands import answer_of
from foundation.imports.engine import vault
from foundation.imports.models import ImportFile
from foundation.scope.places import Places
from townships.models import County, Role, Township, User
from townships.queries import county_places
from townships.services.accounts import create_account, new_password

SEED = 2023
# Says in the server's catalogue that the database is ours to drop.
MARK = "bench of the portal: dropped at the end of a run"
# People at the counters during the payment step.
CLERKS = ("bench_clerk_1", "bench_clerk_2", "bench_clerk_3", "bench_clerk_4")
LEADER = "bench_leader"


class ForeignBenchError(Exception):
    """A database of the bench's name exists that no bench made."""


@dataclass
class Stage:
    """Where the steps play."""

    residents: int
    spec: CountySpec
    files: Path
    out: Path
    runs: int = 1
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> CollectionPlan:
        """The season's plan, read afresh."""
        return CollectionPlan.objects.in_force().select_related("county").get(code=self.spec.plan)

    @property
    def county(self) -> County:
        """The county, read afresh."""
        return County.objects.get(code=self.spec.code[:6].ljust(12, "0"))

    @property
    def places(self) -> Places:
        """The whole county."""
        return county_places(self.county)


def _server(name: str | None = None) -> Any:
    """A connection as the owner: to the bench's database, or to the one named."""
    parts = dj_database_url.parse(os.environ["DATABASE_URL"])
    return psycopg2.connect(
        host=parts["HOST"] or None, port=parts["PORT"] or None, user=parts["USER"] or None,
        password=parts["PASSWORD"] or None, dbname=name or parts["NAME"],
    )  # fmt: skip


@contextlib.contextmanager
def as_owner() -> Iterator[Any]:
    """A bare psycopg2 connection as the tables' owner; what is not committed is rolled back."""
    connection = _server()
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def own_database(*, keep: bool = False) -> Iterator[str]:
    """Create ``<name>_bench`` beside the database of ``DATABASE_URL``, point everything at it, drop it at the end.

    Raises ForeignBenchError when a database of that name is not a bench's.
    """
    before = os.environ["DATABASE_URL"]
    base = str(dj_database_url.parse(before)["NAME"])
    name = f"{base}_bench"
    with _maintenance(base) as cursor:
        _drop(cursor, name)
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
        )
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS %s").format(sql.Identifier(name)), [MARK])
    _point_at(urlunsplit(urlsplit(before)._replace(path=f"/{name}")), name)
    try:
        yield name
    finally:
        _point_at(before, base)
        if not keep:
            with _maintenance(base) as cursor:
                _drop(cursor, name)


@contextlib.contextmanager
def _maintenance(name: str) -> Iterator[Any]:
    connection = _server(name)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _drop(cursor: Any, name: str) -> None:
    cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name])
    row = cursor.fetchone()
    if row is None:
        return
    if row[0] != MARK:
        raise ForeignBenchError(name)
    cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _point_at(url: str, name: str) -> None:
    connections.close_all()
    os.environ["DATABASE_URL"] = url
    connections["default"].settings_dict["NAME"] = name


def prepare(stage: Stage) -> None:
    """Tables, divisions, plan with targets at this size, the plan's demonstration day, and accounts."""
    # Jobs run in the bench's own processes: a worker of the demonstration must not hear of them.
    current_app.conf.update(broker_url="memory://localhost/")
    call_command("migrate", interactive=False, verbosity=0)
    answer_of("load_county", stage.spec.code[:6])
    answer_of("load_plan", stage.spec.plan)
    with transaction.atomic():
        set_business_date(county_code=stage.county.code, day=stage.spec.as_of)
        _scale_targets(stage)
        townships = list(Township.objects.filter(county=stage.county))
        for name in CLERKS:
            _account(stage.county, name, Role.TOWNSHIP_CLERK, townships)
        _account(stage.county, LEADER, Role.COUNTY_LEADER, [])


def _scale_targets(stage: Stage) -> None:
    targets = Target.objects.filter(plan=stage.plan, township__isnull=False)
    for township, pension, medical in scaled_targets(stage.spec, stage.residents):
        mine = targets.filter(township__code__startswith=township.code[:9])
        mine.filter(insurance="pension").update(headcount=pension)
        mine.filter(insurance="medical").update(headcount=medical)


def _account(county: County, username: str, role: Role, townships: list[Township]) -> User:
    return create_account(
        by=None,
        username=username,
        role=role.value,
        county=county,
        password=new_password(),
        townships=townships,
    )


def write_files(stage: Stage) -> None:
    """The county's files, written in a child: half a million people leave no trace in this process."""

    def work() -> Answer:
        spec = stage.spec
        made = make_files(spec, stage.residents, SEED, stage.files, pricer(spec.plan), lambda *_: None)
        return {"files": made.files}

    in_child(work)


def bring_lists(stage: Stage) -> None:
    """The departments' lists, so that categories, deaths and employees are there to be priced."""

    def work() -> Answer:
        county, plan = stage.spec.code[:6], stage.spec.plan
        for path in sorted((stage.files / "categories").glob("*.xlsx")):
            answer_of(
                "import_file",
                "category",
                str(path),
                "--county",
                county,
                "--plan",
                plan,
                "--category",
                path.stem,
            )
        for kind in ("deaths", "employee_insured", "students"):
            path = stage.files / f"{kind}.xlsx"
            if path.exists():
                answer_of("import_file", kind, str(path), "--county", county, "--plan", plan)
        forget_uploads()
        return {}

    in_child(work)


def forget_uploads() -> None:
    """Remove the sealed copies that imports keep of their files."""
    for name in ImportFile.objects.exclude(stored_as="").values_list("stored_as", flat=True):
        vault.remove(name)


def empty(tables: tuple[str, ...]) -> None:
    """Truncate tables and all that points at them, and let PostgreSQL settle, before a step is run again."""
    with as_owner() as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")


def settle() -> None:
    """VACUUM ANALYZE and a checkpoint: what autovacuum would have done by the next morning."""
    with as_owner() as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            with contextlib.suppress(psycopg2.Error):
                cursor.execute("CHECKPOINT")
