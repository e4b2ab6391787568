"""Staging of the health office's list of families: unlogged, outside row-level security, keyed by batch."""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE UNLOGGED TABLE import_staging_family (
    batch bigint NOT NULL, file smallint NOT NULL, source_row integer NOT NULL,
    number_index bytea NOT NULL, number_encrypted bytea NOT NULL, name text NOT NULL, initials text,
    other_index bytea, other_name text, other_initials text, kind text NOT NULL, lawful_birth boolean,
    wife_birth_date date
);
"""


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0014_police_staging")]

    operations = [migrations.RunSQL(FORWARD, "DROP TABLE import_staging_family")]
