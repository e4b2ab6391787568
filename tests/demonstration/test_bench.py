"""`bench` measures every step beside its floor, in a database of its own, and leaves nothing but its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings

RESIDENTS = 300
STEPS = [
    "import", "import_again", "import_xlsx", "import_category", "assess", "what_if", "one_resident", "rosters", "export",
    "payments", "village_api", "village_page", "progress_page", "open_season",
]  # fmt: skip
# Judged by their seconds alone.
WITHOUT_FLOOR = {"import_again", "what_if", "one_resident"}


def _bench(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "bench", "--residents", str(RESIDENTS), *arguments],
        cwd=settings.BASE_DIR, env={**os.environ, "PORTAL_DATA_DIR": str(tmp_path / "data")}, text=True,
        capture_output=True, timeout=280,
    )  # fmt: skip


def _databases() -> set[str]:
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            return {row[0] for row in cursor.fetchall()}
    finally:
        connection.close()


def test_every_step_is_measured_beside_a_floor_with_the_same_rows(stack: str, tmp_path: Path) -> None:
    out = tmp_path / "latest.json"
    done = _bench(tmp_path, "--runs", "1", "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    kept: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert json.loads(done.stdout.splitlines()[-1]) == kept
    assert (kept["residents"], kept["county"], kept["plan"]) == (RESIDENTS, "370406", "shanting-2023")
    assert kept["cores"] >= 1
    assert list(kept["steps"]) == STEPS
    for name, step in kept["steps"].items():
        assert step["rows"] > 0, name
        assert step["seconds"] > 0, name
        assert step["peak_mb"] > 0, name
        assert name in WITHOUT_FLOOR or step["ratio"] > 0, name
    bulk = ("import", "import_xlsx", "import_category", "assess", "rosters", "export", "payments")
    assert all(kept["steps"][name]["same_rows"] for name in bulk)
    again = kept["steps"]["import_again"]
    assert (again["new"], again["changed"]) == (0, 0)
    assert kept["steps"]["import_xlsx"]["rows"] == kept["steps"]["import"]["rows"]
    assert kept["steps"]["assess"]["rows"] == 2 * RESIDENTS
    assert kept["steps"]["payments"]["requests_per_second"] > 0
    assert all(
        kept["steps"][name]["queries"] > 0 for name in ("village_api", "village_page", "progress_page")
    )
    assert f"{stack}_bench" not in _databases()


def test_a_database_of_the_same_name_that_no_bench_made_is_left_alone(stack: str, tmp_path: Path) -> None:
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f'CREATE DATABASE "{stack}_bench"')
    try:
        done = _bench(tmp_path)
        assert done.returncode == 2
        assert done.stderr.strip() == f"database {stack}_bench was not made by bench: drop or rename it"
        assert f"{stack}_bench" in _databases()
    finally:
        cursor.execute(f'DROP DATABASE "{stack}_bench"')
        connection.close()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--only", "lunch"), "no step lunch"),
        (("--county", "999999"), "999999"),
        (("--plan", "nowhere-1"), "nowhere-1"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = _bench(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
