"""What the application's role may do, laid down again after every migration.

1. The role exists, owns nothing, is no superuser and does not bypass row-level security.
2. It may read and write tables; tables of ``append_only`` models only read and insert.
3. Tables of ``row_level_security`` models show and take only rows of the transaction's places; those of ``also_seen``
   models show, to reading alone, what names one of these places beside its own.

Every step can run again: ``migrate`` calls it each time, so that a new table is never without its walls.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from psycopg2 import sql

# Sub-selects, so that the setting is read once a statement and not once a row.
POLICY = """(
    township_id = ANY ((SELECT coalesce(nullif(current_setting('portal.townships', true), ''), '{}'))::int[])
    OR unit_id = ANY ((SELECT coalesce(nullif(current_setting('portal.units', true), ''), '{}'))::int[])
)"""

# Beside it, for reading: a row that names one of the places as one that sees it too.
ALSO = """(
    also_townships && ((SELECT coalesce(nullif(current_setting('portal.townships', true), ''), '{}'))::int[])
    OR also_units && ((SELECT coalesce(nullif(current_setting('portal.units', true), ''), '{}'))::int[])
)"""


# Only its owner may ANALYZE a table. This lets the application renew statistics, and nothing else, after bulk work.
ANALYZE_FUNCTION = """
CREATE OR REPLACE FUNCTION portal_analyze(VARIADIC names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY names LOOP EXECUTE format('ANALYZE public.%I', name); END LOOP;
END $$
"""


def guarded_models() -> list[type[models.Model]]:
    """Models whose tables row-level security holds."""
    return [m for m in apps.get_models() if getattr(m, "row_level_security", False)]


def append_only_models() -> list[type[models.Model]]:
    """Models whose tables the application may only add to."""
    return [m for m in apps.get_models() if getattr(m, "append_only", False)]


def create_role(cursor: Any) -> None:
    """Create the application's role if the server has none and let the owner act as it."""
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    cursor.execute(
        "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", [settings.DATABASE_APP_ROLE]
    )
    row = cursor.fetchone()
    if row is None:
        cursor.execute(
            sql.SQL(
                "DO $$ BEGIN CREATE ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS; "
                "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ).format(role=role)
        )
    elif row[0] or row[1]:
        raise RuntimeError(
            f"Role {settings.DATABASE_APP_ROLE} is a superuser or bypasses row-level security."
        )
    # From version 16 on, who created a role may grant it, but not act as it.
    cursor.execute(
        "SELECT pg_has_role(current_user, %s,"
        " CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)",
        [settings.DATABASE_APP_ROLE],
    )
    if not cursor.fetchone()[0]:
        cursor.execute(sql.SQL("GRANT {role} TO CURRENT_USER").format(role=role))


def raise_walls(cursor: Any) -> None:
    """Grant, revoke and lay the policies for every table that exists."""
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    for statement in (
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "REVOKE INSERT, UPDATE, DELETE ON TABLE django_migrations FROM {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ):
        cursor.execute(sql.SQL(statement).format(role=role))
    cursor.execute(ANALYZE_FUNCTION)
    cursor.execute("REVOKE ALL ON FUNCTION portal_analyze(text[]) FROM PUBLIC")
    cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION portal_analyze(text[]) TO {role}").format(role=role))
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    existing = {row[0] for row in cursor.fetchall()}
    for model in append_only_models():
        if model._meta.db_table in existing:
            table = sql.Identifier(model._meta.db_table)
            cursor.execute(
                sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}").format(
                    table=table, role=role
                )
            )
    for model in guarded_models():
        if model._meta.db_table in existing:
            table = sql.Identifier(model._meta.db_table)
            cursor.execute(sql.SQL("ALTER TABLE {t} ENABLE ROW LEVEL SECURITY").format(t=table))
            cursor.execute(sql.SQL("DROP POLICY IF EXISTS places ON {t}").format(t=table))
            cursor.execute(
                sql.SQL("CREATE POLICY places ON {t} USING {p} WITH CHECK {p}").format(
                    t=table, p=sql.SQL(POLICY)
                )
            )
            cursor.execute(sql.SQL("DROP POLICY IF EXISTS also ON {t}").format(t=table))
            if getattr(model, "also_seen", False):
                cursor.execute(
                    sql.SQL("CREATE POLICY also ON {t} FOR SELECT USING {p}").format(t=table, p=sql.SQL(ALSO))
                )
