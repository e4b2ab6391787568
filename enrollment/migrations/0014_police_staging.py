"""Staging of the police's household register: unlogged, outside row-level security, keyed by batch."""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE UNLOGGED TABLE import_staging_police (
    batch bigint NOT NULL, file smallint NOT NULL, source_row integer NOT NULL,
    number_index bytea NOT NULL, number_encrypted bytea NOT NULL, name text NOT NULL,
    township_id integer, unit_id integer, village_id integer, household_number text, head_name text, relation text,
    birth_date date, sex text, address text, death_date date, cancelled_on date, cancelled_why text
);
"""


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0013_history_staging")]

    operations = [migrations.RunSQL(FORWARD, "DROP TABLE import_staging_police")]
