"""The real stack for every test.

One PostgreSQL server (``DATABASE_URL``, else a throw-away cluster), one template database migrated once a session,
cloned for each xdist worker. Tests run under the application's role: it owns nothing and is no superuser.
``stack`` gives a test a database of its own with committed data, for code that spans processes or threads.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from filelock import FileLock
from hypothesis import settings as hypothesis_settings

# The same cases at every run of the suite: a property that fails, fails for everybody. Searching goes on by hand with
# ``--hypothesis-profile=default``.
hypothesis_settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
hypothesis_settings.load_profile("suite")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drop the run's databases."""
    if hasattr(config, "workerinput") or not os.environ.get("PORTAL_TEST_RUN"):
        return
    with contextlib.suppress(psycopg2.Error), _server() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"portal_test_{_run()}%"])
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run() -> str:
    return os.environ["PORTAL_TEST_RUN"]


@contextlib.contextmanager
def _server() -> Iterator[Any]:
    import dj_database_url

    parts = dj_database_url.parse(os.environ["DATABASE_URL"])
    connection = psycopg2.connect(
        host=parts["HOST"] or None, port=parts["PORT"] or None, user=parts["USER"] or None,
        password=parts["PASSWORD"] or None, dbname="postgres",
    )  # fmt: skip
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _point_at(name: str) -> None:
    from django.db import connections

    connections["default"].close()
    connections["default"].settings_dict["NAME"] = name


def _template() -> str:
    """The migrated template of this run, made by whichever worker comes first."""
    from django.core.management import call_command

    name = f"portal_test_{_run()}"
    with FileLock(Path(tempfile.gettempdir()) / f"{name}.lock"):
        with _server() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            exists = cursor.fetchone()
            if not exists:
                cursor.execute(f"CREATE DATABASE \"{name}_making\" TEMPLATE template0 ENCODING 'UTF8'")
        if not exists:
            _point_at(f"{name}_making")
            call_command("migrate", verbosity=0)
            from django.db import connections

            connections["default"].close()
            with _server() as cursor:
                cursor.execute(f'ALTER DATABASE "{name}_making" RENAME TO "{name}"')
    return name


@contextlib.contextmanager
def clone_database() -> Iterator[str]:
    """A fresh database with all tables and no rows; Django points at it meanwhile."""
    from django.db import connections

    template, name = _template(), f"portal_test_{_run()}_{uuid.uuid4().hex[:8]}"
    with FileLock(Path(tempfile.gettempdir()) / f"{template}.lock"), _server() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    before = connections["default"].settings_dict["NAME"]
    _point_at(name)
    try:
        yield name
    finally:
        _point_at(before)
        with _server() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """One clone of the template a worker."""
    with django_db_blocker.unblock(), clone_database():
        yield


@pytest.fixture
def stack(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A database of this test's own, with commits: for threads, workers, commands in other processes.

    The value is its name; ``DATABASE_URL`` names it meanwhile, so that child processes use it too.
    """
    before = os.environ["DATABASE_URL"]
    with django_db_blocker.unblock(), clone_database() as name:
        head, _, tail = before.partition("?")
        os.environ["DATABASE_URL"] = f"{head.rsplit('/', 1)[0]}/{name}{'?' + tail if tail else ''}"
        try:
            yield name
        finally:
            os.environ["DATABASE_URL"] = before
            from django.db import connections

            connections.close_all()
