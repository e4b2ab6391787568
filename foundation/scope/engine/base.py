"""PostgreSQL under the application's role.

Every connection starts as ``settings.DATABASE_APP_ROLE``: it owns nothing and is no superuser, so row-level
security holds even for a query that forgot ``visible_to``. ``as_owner()`` is for migrations alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.conf import settings
from django.db import connections
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL backend that signs in under the application's role."""

    owner_depth = 0

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if not self.owner_depth:
            given = params.get("options", "")
            params["options"] = f"{given} -c role={settings.DATABASE_APP_ROLE}".strip()
        return params

    @contextmanager
    def as_owner(self) -> Iterator[None]:
        """Work under the role named in ``DATABASE_URL`` (the owner of the tables), then come back."""
        self.close()
        self.owner_depth += 1
        try:
            yield
        finally:
            self.owner_depth -= 1
            self.close()


def owner_connection(alias: str = "default") -> DatabaseWrapper:
    """The connection with its ``as_owner``, for migrations and for what looks after whole databases."""
    return cast(DatabaseWrapper, connections[alias])
