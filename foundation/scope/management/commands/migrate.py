"""``migrate`` as the owner of the tables, then the walls."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.migrate import Command as Migrate

from foundation.scope.engine.base import owner_connection
from foundation.scope.walls import create_role, raise_walls

# Two commands that start at once must not migrate at once.
MIGRATE_LOCK = 0x4A5A_4D47


class Command(Migrate):
    """Create the application's role, migrate under the owner, lay grants and policies again."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Around execute, not handle: the system checks before it already connect.
        connection = owner_connection(options["database"])
        with connection.as_owner():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATE_LOCK])
                create_role(cursor)
            # The lock goes with the session when the owner's connection closes.
            result = super().execute(*args, **options)
            with connection.cursor() as cursor:
                raise_walls(cursor)
        return result
