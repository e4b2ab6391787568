"""A list's certification and the beginning of the group are two dates."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0016_target_staging")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE import_staging_person ADD COLUMN starts date",
            "ALTER TABLE import_staging_person DROP COLUMN starts",
        )
    ]
