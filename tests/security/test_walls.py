"""The second wall as the database keeps it: policies, grants, and a role that can take none of them down."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from enrollment.models import Resident
from foundation.scope.context import places_scope
from foundation.scope.places import NOWHERE
from foundation.scope.walls import append_only_models, guarded_models
from tests.security.conftest import World

ROOMS = [
    "foundation", "townships", "enrollment", "subsidies", "contributions", "rosters", "notices", "progress", "seasons",
    "demonstration",
]  # fmt: skip
OURS = [m for m in apps.get_models() if m.__module__.split(".")[0] in ROOMS]

# Tables that name a township and hold no resident: everybody's knowledge, or a sum.
NO_RESIDENTS = {
    "townships.Area": "divisions are public",
    "townships.Village": "divisions are public",
    "townships.CollectingUnit": "who collects is public; its own visible_to narrows the pages",
    "townships.Agency": "offices are public",
    "seasons.ArchivedFile": "a file's name and digest; what it says is sealed in storage, its own visible_to narrows",
    "enrollment.CollectionPlan": "a published paper",
    "enrollment.Target": "a published table",
    "audit.AuditEvent": "codes and counts, written by everybody, read by auditors of the county",
    "subsidies.ListDelivery": "when an office received a department's list; names nobody",
    "imports.ReturnedRow": "a row as its sender wrote it, sealed; it follows its file, and COPY fills it",
    "contributions.FundingRequest": "a sum by office and township; its own visible_to narrows the pages",
    "contributions.PayerResolution": "who pays is an office with its account",
    "contributions.AmendmentSum": "sums of a township, shown to who sees it whole",
    "contributions.FigureDelta": "sums on their way into the figures, folded for all places at once",
}


def _rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def test_every_table_with_a_township_is_guarded_or_holds_no_resident() -> None:
    """A model added with a place and without its wall fails here."""
    placed = {
        m._meta.label
        for m in OURS
        if {f.attname for f in m._meta.concrete_fields} & {"township_id", "unit_id", "township_code"}
    }
    guarded = {m._meta.label for m in guarded_models()}
    assert placed - guarded == set(NO_RESIDENTS)
    assert guarded <= placed


def test_the_database_guards_every_such_table(db: None) -> None:
    """Row-level security is on and its policy covers reading and writing, for every role.

    A second one stands beside it only where other places read a row too, and for reading alone.
    """
    on = {name for (name,) in _rows("SELECT relname FROM pg_class WHERE relrowsecurity AND relkind = 'r'")}
    assert on == {m._meta.db_table for m in guarded_models()}
    policies = _rows(
        "SELECT tablename, policyname, cmd, permissive, roles::text, qual, with_check FROM pg_policies"
    )
    assert {row[0] for row in policies} == on
    shared = {m._meta.db_table for m in guarded_models() if getattr(m, "also_seen", False)}
    assert {row[0] for row in policies if row[1] == "also"} == shared
    for _table, name, command, _permissive, roles, qual, check in policies:
        assert (name, command, roles) in {("places", "ALL", "{public}"), ("also", "SELECT", "{public}")}
        assert "portal.townships" in qual
        assert "portal.units" in qual
        assert check == (qual if name == "places" else None)


def test_the_application_is_nobody_in_the_database(db: None) -> None:
    """No superuser, no way round the policies, owner of nothing, member of nobody who is more."""
    role = settings.DATABASE_APP_ROLE
    assert _rows("SELECT current_user::text") == [(role,)]
    assert _rows(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = %s",
        role,
    ) == [(False,) * 5]
    assert _rows("SELECT relname FROM pg_class WHERE relowner = %s::regrole", role) == []
    assert _rows("SELECT nspname FROM pg_namespace WHERE nspowner = %s::regrole", role) == []
    assert _rows("SELECT proname FROM pg_proc WHERE proowner = %s::regrole", role) == []
    assert _rows("SELECT 1 FROM pg_auth_members WHERE member = %s::regrole", role) == []
    assert _rows("SELECT has_schema_privilege(%s, 'public', 'CREATE')", role) == [(False,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE enrollment_resident DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE enrollment_resident NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY places ON enrollment_resident",
        "CREATE POLICY mine ON enrollment_resident USING (true)",
        "ALTER TABLE enrollment_resident ADD COLUMN mine int",
        "TRUNCATE enrollment_resident CASCADE",
        "DROP TABLE enrollment_resident CASCADE",
        "CREATE TABLE mine (id int)",
        "CREATE VIEW mine AS SELECT 1",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
        "COPY enrollment_resident TO PROGRAM 'cat'",
        "DELETE FROM django_migrations",
    ],
)
def test_the_application_takes_no_wall_down(db: None, statement: str) -> None:
    """Whatever finds its way into a query, it is refused."""
    refused = r"permission denied|must be owner|must be superuser|not permitted|must be able"
    with pytest.raises(DatabaseError, match=refused), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.replace("CURRENT_USER", f'"{settings.DATABASE_APP_ROLE}"'))


def test_the_application_gives_nobody_a_right(db: None) -> None:
    """A grant by somebody who holds no such right is a warning, and grants nothing."""
    with connection.cursor() as cursor:
        cursor.execute("GRANT ALL ON enrollment_resident TO PUBLIC")
    rights = "SELECT count(*) FROM information_schema.table_privileges WHERE grantee = 'PUBLIC' AND table_name = %s"
    assert _rows(rights, "enrollment_resident") == [(0,)]


def test_tables_that_only_grow_only_grow(db: None) -> None:
    """UPDATE, DELETE and TRUNCATE of money, sealed rosters and the trail are not the application's; INSERT is."""
    for model in append_only_models():
        table = model._meta.db_table
        rights = _rows(
            "SELECT p, has_table_privilege(current_user, %s, p) FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE',"
            "'TRUNCATE','REFERENCES','TRIGGER']) p",
            table,
        )
        assert {name for name, granted in rights if granted} == {"SELECT", "INSERT"}, table


def test_without_a_scope_there_are_no_rows(world: World) -> None:
    """No scope, nothing: neither read nor written, in every guarded table."""
    with places_scope(NOWHERE):
        for model in guarded_models():
            assert _rows(f"SELECT count(*) FROM {model._meta.db_table}") == [(0,)], model._meta.label
            assert model._default_manager.count() == 0
    for model in (m for m in guarded_models() if m not in append_only_models()):
        with places_scope(NOWHERE), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {model._meta.db_table} SET unit_id = unit_id")
            assert cursor.rowcount == 0, model._meta.label


def test_a_row_cannot_be_carried_over_the_wall(world: World) -> None:
    """A clerk's scope moves no row of hers to a township she does not see, and writes none there."""
    unit, foreign = world.own.unit, world.foreign.unit
    clerk = world.cast.user("township_clerk")
    for statement in (
        "UPDATE enrollment_household SET township_id = %s, unit_id = %s WHERE unit_id = %s",
        "INSERT INTO enrollment_household (township_id, unit_id, village_id, number, group_name, house_number, "  # noqa: ISC004
        "head_name, walk) SELECT %s, %s, village_id, 'x', '', '', '', 0 FROM enrollment_household WHERE unit_id = %s",
    ):
        with (
            pytest.raises(DatabaseError, match="row-level security"),
            places_scope(clerk.scope_places()),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [foreign.township_id, foreign.pk, unit.pk])


def test_who_reads_a_row_as_well_cannot_write_it(world: World) -> None:
    """A row that names a township beside its own is read there, and neither changed, taken over nor locked."""
    foreign = world.foreign.pk(Resident)
    with places_scope(world.cast.places):
        Resident.objects.filter(pk=foreign).update(
            also_townships=[world.own.unit.township_id], also_units=[world.own.unit.pk]
        )
    for role in ("township_clerk", "village_agent"):
        user = world.cast.user(role)
        with places_scope(user.scope_places()):
            assert Resident.objects.visible_to(user).filter(pk=foreign).exists()
            assert not Resident.objects.held_by(user).filter(pk=foreign).exists()
            assert Resident.objects.filter(pk=foreign).update(address="x") == 0
            take = {"township_id": world.own.unit.township_id, "unit_id": world.own.unit.pk}
            assert Resident.objects.filter(pk=foreign).update(**take) == 0
            assert not Resident.objects.filter(pk=foreign).select_for_update().exists()


def test_a_scope_ends_with_its_transaction(world: World) -> None:
    """The next request on the same connection starts with nothing."""
    with places_scope(NOWHERE):
        with places_scope(world.cast.places):
            assert _rows("SELECT count(*) > 0 FROM enrollment_resident") == [(True,)]
        assert _rows("SELECT count(*) FROM enrollment_resident") == [(0,)]


def test_foreign_keys_point_downward_only() -> None:
    """Rooms know what is below them; string keys escape the import linter, so they are walked here."""
    for model in OURS:
        room = model.__module__.split(".")[0]
        for column in model._meta.get_fields(include_hidden=False):
            if not column.is_relation or column.auto_created or column.related_model is None:
                continue
            target = column.related_model
            other = target.__module__.split(".")[0]
            if other not in ROOMS or (
                room == "foundation" and target._meta.label == settings.AUTH_USER_MODEL
            ):
                continue
            assert ROOMS.index(other) <= ROOMS.index(room), (
                f"{model._meta.label}.{column.name} → {target._meta.label}"
            )
