"""`make_county`: write the files a county's offices would send, about people who do not exist."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from demonstration.synthetic import UnknownCountyError, load_spec, make_files
from demonstration.synthetic.pricing import pricer
from foundation.commands import PortalCommand, Unusable, positive
from subsidies.rules.source import PlanError
from subsidies.services.messages import describe


def _day(text: str) -> date:
    """argparse type: an ISO date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date like 2022-11-30") from None


class Command(PortalCommand):
    """Write a synthetic county's files. The database stays as it is; amounts are asked of the evaluator."""

    help = "Write a synthetic county's files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--county", required=True, help="division code, 6, 9 or 12 digits")
        parser.add_argument(
            "--residents", required=True, type=positive, help="residents of the registration data"
        )
        parser.add_argument("--seed", required=True, type=int, help="the same seed gives the same county")
        parser.add_argument("--out", required=True, type=Path, help="folder to write to")
        parser.add_argument("--plan", help="plan code; default: the county's own")
        parser.add_argument(
            "--as-of", type=_day, help="last day of payments; default: the plan's demonstration day"
        )

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        out: Path = options["out"]
        try:
            spec = load_spec(options["county"], options["plan"], options["as_of"])
            if options["residents"] < len(spec.townships):
                raise Unusable(_("居民数至少要有 {count}（每个镇街一人）").format(count=len(spec.townships)))
            made = make_files(
                spec, options["residents"], options["seed"], out, pricer(spec.plan), self.progress
            )
        except UnknownCountyError as error:
            raise Unusable(str(error)) from error
        except PlanError as error:
            raise Unusable(describe(error)) from error
        except OSError as error:
            raise Unusable(
                _("写不了 {path}：{reason}").format(path=out, reason=error.strerror or error)
            ) from error
        summary = _("{county} {people} 人，{files} 个文件，{rows} 行，写入 {path}").format(
            county=spec.name,
            people=options["residents"],
            files=len(made.files),
            rows=sum(made.files.values()),
            path=out,
        )
        return summary, {"files": made.files}, True
