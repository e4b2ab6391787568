"""The whole way, from an empty database to a portal one can walk through."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from demonstration.services import processes, season
from demonstration.services.main_job import MainJob
from foundation.commands import PortalCommand, Unusable


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) <= 0:
        raise Unusable(f"{name} must be a whole number above zero, not {text!r}")
    return int(text)


class Command(PortalCommand):
    """``make demo``: main job for 山亭区 on synthetic residents, then serve on 127.0.0.1 (``SERVE=0`` stops before)."""

    help = "Run the main job on synthetic residents and serve the portal."

    def run(self, options: dict[str, Any]) -> tuple[str, dict[str, Any], bool]:
        residents, port = _number("DEMO_RESIDENTS", 34374), _number("PORT", 8000)
        serve = os.environ.get("SERVE", "1") != "0"
        out = season.outputs()
        env = {"PORTAL_DEMONSTRATION": "1", "PORTAL_SECRET_KEY": secrets.token_urlsafe(48)}
        started = time.perf_counter()
        if season.tables_exist():
            try:
                season.empty_database()
            except season.ForeignDatabaseError:
                raise Unusable(
                    "this database holds data the demonstration did not make; name another in DATABASE_URL"
                ) from None
        call_command("migrate", interactive=False, verbosity=0)
        logs = out / "logs"
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with processes.running("worker", processes.worker(), logs=logs, env=env):
            job = MainJob(residents=residents, out=out, say=self.stdout.write, bar=self.progress)
            answer = job.run()
            answer["seconds"] = round(time.perf_counter() - started, 1)
            self.stdout.write(f"main job done in {answer['seconds']} s; outputs in {self._short(out)}")
            if serve:
                self._serve(port, logs, env, out)
        return "", answer, True

    def _short(self, path: Path) -> str:
        with contextlib.suppress(ValueError):
            return str(path.relative_to(settings.BASE_DIR))
        return str(path)

    def _serve(self, port: int, logs: Path, env: dict[str, str], out: Path) -> None:
        with processes.running("web", processes.web(port), logs=logs, env=env) as web:
            self.stdout.write(
                f"http://127.0.0.1:{port}  (accounts in {self._short(out / 'accounts.json')}; Ctrl-C ends)"
            )
            self.stdout.flush()
            with contextlib.suppress(KeyboardInterrupt):
                web.wait()
