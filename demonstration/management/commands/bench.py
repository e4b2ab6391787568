"""`bench`: seconds, rows a second, peak memory of each step of the main job, and how far above its floor it is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from demonstration.services.bench import imports, pages, report, rules, season, steps
from demonstration.services.bench.measure import Figures, StepFailed
from demonstration.services.bench.payments import payments
from demonstration.services.bench.stage import (
    ForeignBenchError,
    Stage,
    bring_lists,
    own_database,
    prepare,
    write_files,
)
from demonstration.synthetic import UnknownCountyError, load_spec
from foundation.commands import PortalCommand, Unusable, positive

# In the order in which one needs another.
STEPS: dict[str, steps.Step] = {
    "import": steps.import_registration,
    "import_again": imports.import_again,
    "import_xlsx": imports.import_xlsx,
    "import_category": imports.import_category,
    "assess": steps.assess_county,
    "what_if": rules.budget,
    "one_resident": rules.one_resident,
    "rosters": steps.levy_rosters,
    "export": steps.export_workbooks,
    "payments": payments,
    "village_api": pages.village_api,
    "village_page": pages.village_page,
    "progress_page": pages.progress_page,
    "open_season": season.open_season,
}
# Steps without which later ones find nothing to measure.
NEEDED = {
    "import_again": ["import"],
    "import_category": ["import"],
    "assess": ["import"],
    "what_if": ["import", "assess"],
    "one_resident": ["import", "assess"],
    "rosters": ["import", "assess"],
    "export": ["import", "assess", "rosters"],
    "payments": ["import", "assess"],
    "village_api": ["import", "assess", "payments"],
    "village_page": ["import", "assess", "payments"],
    "progress_page": ["import", "assess", "payments"],
    "open_season": ["import", "assess"],
}
# Up to here a run is repeated three times by itself: larger ones are long enough to be steady.
REPEATED_TO = 100_000


class Command(PortalCommand):
    """`bench --residents N`: in a database of its own beside the one of DATABASE_URL, dropped at the end."""

    help = "Measure each step of the main job beside its floor."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--residents", required=True, type=positive, help="residents of the synthetic county"
        )
        parser.add_argument("--county", default="370406", help="division code, 6, 9 or 12 digits")
        parser.add_argument("--plan", help="plan code; default: the county's own")
        parser.add_argument("--only", default="", help=f"steps, by comma, of: {', '.join(STEPS)}")
        parser.add_argument(
            "--runs", type=positive, help="repeat bulk steps and floors; default 3 up to 100,000, else 1"
        )
        parser.add_argument(
            "--files", type=Path, help="folder of make_county's files for this county and size"
        )
        parser.add_argument(
            "--out", type=Path, default=Path(settings.BASE_DIR, "bench", "out", "latest.json")
        )
        parser.add_argument("--keep", action="store_true", help="leave the database for a look at it")

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        """Measure; holds whenever every step ran. Ratios are told, not judged."""
        wanted = self._wanted(options["only"])
        try:
            spec = load_spec(options["county"], options["plan"])
        except UnknownCountyError as error:
            raise Unusable(str(error)) from None
        residents, out = options["residents"], options["out"]
        if residents < len(spec.townships):
            raise Unusable(f"a county of {len(spec.townships)} townships needs as many residents")
        runs = options["runs"] or (3 if residents <= REPEATED_TO else 1)
        try:
            with (
                tempfile.TemporaryDirectory(prefix="portal-bench-") as folder,
                own_database(keep=options["keep"]) as name,
            ):
                stage = Stage(residents, spec, options["files"] or Path(folder, "files"), Path(folder), runs)
                if options["keep"]:
                    self.stdout.write(f"database {name} stays")
                done = self._play(stage, wanted, make_files=options["files"] is None)
                around = report.surroundings()
        except ForeignBenchError as error:
            raise Unusable(f"database {error} was not made by bench: drop or rename it") from None
        except StepFailed:
            raise Unusable("a step failed; its reason stands above") from None
        answer = {
            "residents": residents, "county": spec.code, "plan": spec.plan, "runs": runs, **around,
            "steps": {step: figures.as_json() for step, figures in done.items()},
        }  # fmt: skip
        report.write(out, answer)
        head = f"{spec.name} {spec.plan}, {residents} residents; {around['cores']} cores, {around['memory_gb']} GB"
        return f"{head}, PostgreSQL {around['postgresql']}\n{report.table(done)}", answer, True

    def _wanted(self, only: str) -> list[str]:
        names = [name.strip() for name in only.split(",") if name.strip()] or list(STEPS)
        unknown = sorted(set(names) - set(STEPS))
        if unknown:
            raise Unusable(f"no step {', '.join(unknown)}; there are {', '.join(STEPS)}")
        return [name for name in STEPS if name in names]

    def _play(self, stage: Stage, wanted: list[str], *, make_files: bool) -> dict[str, Figures]:
        self._say("tables, plan and places")
        prepare(stage)
        if make_files:
            self._say("files of the county")
            write_files(stage)
        needed = {name for step in wanted for name in NEEDED.get(step, [])} | set(wanted)
        # The departments' lists follow the last file of registration data, where a later step wants them priced.
        files = [name for name in STEPS if name in needed and name.startswith("import")]
        last = files[-1] if len(files) < len(needed) else ""
        done = {}
        for name, step in STEPS.items():
            if name not in needed or (name == "village_page" and not pages.has_village_page()):
                continue
            self._say(name)
            figures = step(stage, name in wanted)
            if name in wanted:
                done[name] = figures
            if name == last:
                bring_lists(stage)
        return done

    def _say(self, what: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"… {what}")
