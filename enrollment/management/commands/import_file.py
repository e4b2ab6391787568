"""``import_file KIND FILE…``: any department's file into the register, in one transaction, errors back."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction
from xlsxwriter.exceptions import FileCreateError

from enrollment.services.imports.common import find_plan
from foundation.commands import PortalCommand, Unusable
from foundation.imports.engine import vault
from foundation.imports.kinds import ImportRefused, import_kind
from foundation.imports.models import ImportBatch
from foundation.imports.services.apply import apply
from foundation.imports.services.check import check
from foundation.imports.services.errors import write_error_book
from foundation.imports.services.receive import Terms, abandon, receive_paths
from foundation.scope.context import places_scope
from foundation.scope.places import Places
from townships.models import County, Township

_SHOWN = 10
_MEGABYTE = 1024 if sys.platform != "darwin" else 1024 * 1024


class Command(PortalCommand):
    """Import files of one kind: check, apply, print counts. ``--dry-run`` stops before anything is applied."""

    returned: list[str]
    help = "Import a department's or the tax bureau's file; good rows go in, the others come back with the reason."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--county", required=True)
        parser.add_argument("--plan", default="")
        parser.add_argument("--category", default="")
        parser.add_argument("--full-list", action="store_true")
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--errors", type=Path, metavar="OUT.xlsx")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        started = time.perf_counter()
        county = county_by_code(options["county"])
        try:
            batch = self._import(county, options)
        except ImportRefused as error:
            raise Unusable(str(error)) from None
        seconds = time.perf_counter() - started
        answer = {
            "batch": batch.pk,
            "read": batch.read_count,
            "accepted": batch.accepted_count,
            "new": batch.new_count,
            "changed": batch.changed_count,
            "unchanged": batch.unchanged_count,
            "rejected": batch.rejected_count,
            "reasons": batch.reasons,
            "seconds": round(seconds, 3),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE, 1),
        }
        return self._summary(batch, seconds, dry=options["dry_run"]), answer, True

    def _import(self, county: County, options: dict[str, Any]) -> ImportBatch:
        kind = import_kind(options["kind"])
        plan_code = options["plan"]
        if kind.needs_plan:
            plan = find_plan(county.code, plan_code)
            if plan is None:
                wanted = f"plan {plan_code!r} is not loaded" if plan_code else "name a plan with --plan"
                raise Unusable(f"{wanted} for county {county.short_code}")
            plan_code = plan.code
        terms = Terms(kind.name, county.code, plan_code, options["category"], options["full_list"])
        places = Places(frozenset(Township.objects.filter(county=county).values_list("pk", flat=True)))
        paths: list[Path] = options["files"]
        stored: list[str] = []
        try:
            # One transaction: a killed command leaves nothing half done, not even a batch.
            with transaction.atomic(), places_scope(places):
                batch = receive_paths(by=None, terms=terms, paths=paths)
                stored.extend(batch.files.values_list("stored_as", flat=True))
                check(by=None, batch=batch, places=places, paths=paths, progress=self._progress, show=False)
                self._returned(batch, options["errors"], paths)
                if options["dry_run"]:
                    abandon(by=None, batch=batch)
                else:
                    apply(by=None, batch=batch, places=places, progress=self._progress, recount=False)
        except BaseException:
            for name in stored:
                vault.remove(name)
            raise
        return batch

    def _returned(self, batch: ImportBatch, errors: Path | None, paths: list[Path]) -> None:
        rows = batch.returned_rows.order_by("file", "source_row").values_list("source_row", "message")
        self.returned = [f"  第{number}行：{message}" for number, message in rows[:_SHOWN]]
        if errors is not None and batch.rejected_count:
            try:
                write_error_book(batch, errors, paths=paths)
            except (OSError, FileCreateError):
                raise Unusable(f"cannot write {errors}: name a file in a directory that exists") from None

    def _progress(self, what: str, done: int, total: int) -> None:
        if what == "read":
            self.progress(done, total, "reading")

    def _summary(self, batch: ImportBatch, seconds: float, *, dry: bool) -> str:
        done = "checked (nothing applied)" if dry else "imported"
        first = (
            f"{batch.file_name} {done} as batch {batch.pk} in {seconds:.1f} s: {batch.read_count} rows, "
            f"{batch.new_count} new, {batch.changed_count} changed, {batch.unchanged_count} unchanged, "
            f"{batch.rejected_count} returned"
        )
        lines = [first, *self.returned]
        if batch.rejected_count > len(self.returned):
            lines.append(f"  … {batch.rejected_count - len(self.returned)}")
        for code, count in batch.summary.get("warnings", {}).items():
            lines.append(f"  warning {code}: {count}")
        if "to_assess" in batch.summary:
            lines.append(f"  assessments to renew: {batch.summary['to_assess']}")
        return "\n".join(lines)


def county_by_code(code: str) -> County:
    """A loaded county by its code of 6, 9 or 12 digits."""
    county = County.objects.filter(code=code.strip().ljust(12, "0")).first()
    if county is None:
        raise Unusable(f"county {code} is not loaded: run load_county {code}")
    return county
