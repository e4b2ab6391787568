"""What every command of the portal promises: ``--json``, exit codes 0, 1, 2, one clear line of error."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder


class Unusable(Exception):
    """Input that cannot be used: the message goes to standard error, the exit code is 2."""


class PortalCommand(BaseCommand):
    """Base of the commands in CONTRACT order: ``run`` returns (summary line, JSON object, holds).

    Exit 0 on success, 1 when the thing checked does not hold, 2 on unusable input.
    """

    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        return parser

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Do the work."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            summary, answer, holds = self.run(options)
        except Unusable as error:
            self.stderr.write(str(error))
            raise SystemExit(2) from None
        self.stdout.write(summary)
        if options["json"]:
            self.stdout.write(json.dumps(answer, cls=DjangoJSONEncoder, ensure_ascii=False))
        if not holds:
            raise SystemExit(1)

    def progress(self, done: int, total: int, what: str) -> None:
        """A progress line on a terminal; silent elsewhere."""
        if sys.stderr.isatty() and total:
            width = 30
            filled = int(width * done / total)
            self.stderr.write(f"\r{what} [{'#' * filled}{'.' * (width - filled)}] {done}/{total}", ending="")
            if done >= total:
                self.stderr.write("")


def positive(text: str) -> int:
    """argparse type: a whole number above zero."""
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above zero")
    return value


def answer_of(name: str, *arguments: str) -> dict[str, Any]:
    """Run one of our commands in this process and return its JSON object. Raises Unusable as the command does."""
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, PortalCommand)
    options = vars(command.create_parser("manage.py", name).parse_args(list(arguments)))
    return command.run(options)[1]
