"""Staging of task tables: unlogged, keyed by batch."""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE UNLOGGED TABLE import_staging_target (
    batch bigint NOT NULL, file smallint NOT NULL, source_row integer NOT NULL,
    row_index bytea NOT NULL, number_encrypted bytea, name text NOT NULL, township_id integer, villages integer,
    pension integer, medical integer, note text
);
"""


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0015_family_staging")]

    operations = [migrations.RunSQL(FORWARD, "DROP TABLE import_staging_target")]
