"""What ``manage.py`` does before Django's commands: have the services, and have them migrated."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import django
from django.core.management import call_command, execute_from_command_line
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from portal.embedded import EmbeddedError, ensure_services, needs_services

# Commands that look after migrations themselves.
MIGRATION_COMMANDS = frozenset({"migrate", "showmigrations", "sqlmigrate", "squashmigrations", "dbshell"})


def migrate_if_behind() -> None:
    """Bring an embedded database to the code's migrations; costs a tenth of a second where it is already."""
    connection: Any = connections["default"]
    with connection.as_owner():
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if behind:
        call_command("migrate", interactive=False, verbosity=0)


def main(arguments: Sequence[str]) -> None:
    """Run one command line of ``manage.py``; a service that cannot be had is one line and exit code 2.

    A database named in ``DATABASE_URL`` is its administrator's: only the embedded one is migrated here.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    command_line = arguments[1:]
    if needs_services(command_line):
        embedded = not os.environ.get("DATABASE_URL")
        try:
            ensure_services()
        except EmbeddedError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(2)
        if embedded and command_line[0] not in MIGRATION_COMMANDS:
            django.setup()
            migrate_if_behind()
    execute_from_command_line(list(arguments))
