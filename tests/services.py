"""Servers for the suite, had before Django reads its settings (loaded by ``-p tests.services``).

``DATABASE_URL`` and ``REDIS_URL`` name them, else throw-away ones are started and end with the run. Processes of
pytest-xdist inherit them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

from portal.embedded import throwaway_services

_services = contextlib.ExitStack()
_folders: list[str] = []


def _folder(prefix: str) -> str:
    path = tempfile.mkdtemp(prefix=prefix)
    _folders.append(path)
    return path


def _begin() -> None:
    # Encryption under a key of the tests, files in a folder of the run.
    os.environ.setdefault("PORTAL_MASTER_KEY", "dGVzdC1vbmx5LW1hc3Rlci1rZXktMzItYnl0ZXMhISE=")
    os.environ["PORTAL_DATA_DIR"] = _folder("portal-test-")
    # Collected files are served from here; the server warns when there is no such folder.
    (Path(os.environ["PORTAL_DATA_DIR"]) / "static").mkdir()
    os.environ["PORTAL_TEST_RUN"] = uuid.uuid4().hex[:8]
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        _services.enter_context(throwaway_services(Path(_folder("portal-services-"))))


if "PYTEST_XDIST_WORKER" not in os.environ and not {"--collect-only", "--co"} & set(sys.argv):
    _begin()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End what this process started."""
    del config
    _services.close()
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
