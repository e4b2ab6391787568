"""Staging of the tax bureau's results: unlogged, outside row-level security, keyed by batch."""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE UNLOGGED TABLE import_staging_tax (
    batch bigint NOT NULL, file smallint NOT NULL, source_row integer NOT NULL,
    number_index bytea NOT NULL, number_encrypted bytea NOT NULL, name text NOT NULL, initials text,
    insurance text NOT NULL, amount numeric(12, 2) NOT NULL, invoiced_on date NOT NULL, settled_on date,
    channel text, voucher text NOT NULL, client_uuid uuid NOT NULL, route text NOT NULL, means text NOT NULL
);
"""


class Migration(migrations.Migration):
    dependencies = [("contributions", "0004_rule_codes_as_columns")]

    operations = [migrations.RunSQL(FORWARD, "DROP TABLE import_staging_tax")]
