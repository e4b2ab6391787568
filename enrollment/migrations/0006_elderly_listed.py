"""A group of its own for the elderly whom a department's list names (setting lists.elderly_source)."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def lay_down(apps: Any, schema_editor: Any) -> None:
    """Add it behind the others, once."""
    category = apps.get_model("enrollment", "Category")
    category.objects.get_or_create(
        code="elderly_listed",
        defaults={
            "name": "部门名单上的老年人",
            "aliases": ["老年人", "高龄老人", "60岁以上老年人", "70岁以上老年人"],
            "agency_kind": "health",
            "position": category.objects.count() + 1,
        },
    )


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0005_police_register")]

    operations = [migrations.RunPython(lay_down, migrations.RunPython.noop)]
