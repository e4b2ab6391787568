"""Staging of the register's files: unlogged, outside row-level security, keyed by batch, no statistics needed.

``import_numbers_elsewhere`` tells, for one batch, which staged rows name a number that a resident outside the running
scope holds. It runs as the tables' owner, reads the scope from the transaction, and gives row numbers alone.
"""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE UNLOGGED TABLE import_staging_registration (
    batch bigint NOT NULL, file smallint NOT NULL, source_row integer NOT NULL,
    person bytea NOT NULL, number_index bytea, number_encrypted bytea, tail_index bytea, id_kind text NOT NULL,
    name text NOT NULL, initials text, birth_date date, sex text,
    township_id integer NOT NULL, unit_id integer NOT NULL, village_id integer NOT NULL,
    household text, group_name text, head_name text, house_number text, nickname text, relation text,
    registration_area text, residence_permit text, phone_encrypted bytea, phone_tail text, address text,
    insurance text NOT NULL, tier numeric(12, 2), is_new boolean
);
CREATE UNLOGGED TABLE import_staging_person (
    batch bigint NOT NULL, file smallint NOT NULL, source_row integer NOT NULL,
    number_index bytea NOT NULL, number_encrypted bytea NOT NULL, name text NOT NULL, initials text,
    code text, grade smallint, day date, until date, certified_by integer
);
CREATE FUNCTION import_numbers_elsewhere(which bigint, county integer)
RETURNS TABLE (file smallint, source_row integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.file, s.source_row
    FROM import_staging_registration s
    JOIN enrollment_resident r
        ON r.county_id = county AND r.number_index = s.number_index AND r.merged_into_id IS NULL
    WHERE s.batch = which
        AND NOT r.township_id = ANY (coalesce(nullif(current_setting('portal.townships', true), ''), '{}')::int[])
        AND NOT r.unit_id = ANY (coalesce(nullif(current_setting('portal.units', true), ''), '{}')::int[])
$$;
"""
BACKWARD = """
DROP FUNCTION import_numbers_elsewhere(bigint, integer);
DROP TABLE import_staging_person;
DROP TABLE import_staging_registration;
"""


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0002_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
