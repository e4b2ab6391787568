"""A staged row of a list keeps the township it names, so that its clerk hears of it when it goes back."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0017_category_staging")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE import_staging_person ADD COLUMN township_id integer",
            "ALTER TABLE import_staging_person DROP COLUMN township_id",
        )
    ]
