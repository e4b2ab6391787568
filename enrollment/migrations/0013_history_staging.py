"""Enrolment history is staged with the lists of people."""

from __future__ import annotations

from django.db import migrations

FORWARD = """
ALTER TABLE import_staging_person
    ADD COLUMN missed_years smallint, ADD COLUMN repaired_years smallint, ADD COLUMN is_new boolean
"""
BACKWARD = """
ALTER TABLE import_staging_person DROP COLUMN missed_years, DROP COLUMN repaired_years, DROP COLUMN is_new
"""


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0012_pending_assessment")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
