"""What a thief of the database, of Redis or of the files holds: no ID number and no phone, whole or in pieces."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dj_database_url
import psycopg2
import redis
from django.conf import settings

from foundation.identity import make_number
from tests.contributions.conftest import TODAY
from tests.factories import make_cast
from tests.imports.office import registration_row

PROJECT = Path(__file__).resolve().parents[2]
PEOPLE = [
    (f"居民{n}", make_number("370406", date(1950 + n, 3, 1 + n), 101 + 2 * n), f"1390637{4100 + n * 37}")
    for n in range(12)
]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT, env={**os.environ, "PORTAL_LOG_LEVEL": "DEBUG"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


def _dump(name: str) -> dict[str, bytes]:
    """Every table as its owner copies it out: what a stolen backup holds."""
    parts = dj_database_url.parse(os.environ["DATABASE_URL"])
    tables: dict[str, bytes] = {}
    connection = psycopg2.connect(
        host=parts["HOST"] or None, port=parts["PORT"] or None, user=parts["USER"] or None,
        password=parts["PASSWORD"] or None, dbname=name,
    )  # fmt: skip
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            out = io.BytesIO()
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', out)
            tables[table] = out.getvalue()
    return tables


def _signs(number: str, phone: str) -> list[bytes]:
    """How a number could lie about: as text, its birth date and tail, as hex of a binary column, in UTF-16."""
    texts = [number, number[6:], phone, number.lower()]
    return [
        form
        for text in set(texts)
        for form in (text.encode(), text.encode().hex().encode(), text.encode("utf-16-le"))
    ]


def test_the_main_job_leaves_no_number_behind(stack: str, tmp_path: Path) -> None:
    """Import with a row sent back, assessment, rosters, an explanation asked by full number: 0 hits anywhere.

    Looked through: every table, Redis, the data folder with the kept upload, and what the commands wrote.
    """
    make_cast()
    rows = [
        registration_row(
            姓名=name, 户主姓名=name, 身份证号=number, 联系电话=phone, 户编号=f"{n:04d}",
            **({"村(居)": "没有的村"} if n == 11 else {}),
        )
        for n, (name, number, phone) in enumerate(PEOPLE)
    ]  # fmt: skip
    file = tmp_path / "registration.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    said = []
    day, county = ["--date", TODAY.isoformat()], ["--county", "370406"]
    for command in (
        ["load_county", "370406"],
        ["load_plan", "shanting-2023"],
        ["import_file", "registration", str(file), *county, "--plan", "shanting-2023", "--json"],
        ["assess", "--plan", "shanting-2023", *day],
        ["generate_rosters", "--plan", "shanting-2023", "--kind", "levy", "--wait"],
        ["explain", "--plan", "shanting-2023", "--resident", PEOPLE[0][1]],
    ):
        done = _run(*command)
        assert done.returncode == 0, (command, done.stderr[-2000:])
        said.append(done.stdout + done.stderr)
    tables = _dump(stack)
    # There is something to find, and names, which are no secret of the database, are found.
    assert tables["enrollment_resident"].count(b"\n") == 11
    assert PEOPLE[0][0].encode() in tables["enrollment_resident"]
    assert tables["rosters_rosterline"].count(b"\n") == 11
    assert tables["imports_returnedrow"].count(b"\n") == 1
    hoards = {f"table {name}": content for name, content in tables.items()}
    hoards["output"] = "\n".join(said).encode()
    server = redis.Redis.from_url(settings.REDIS_URL)
    for key in server.scan_iter():
        hoards[f"redis {key!r}"] = key + (server.dump(key) or b"")
    server.close()
    data = Path(os.environ["PORTAL_DATA_DIR"])
    hoards |= {f"file {path}": path.read_bytes() for path in data.rglob("*") if path.is_file()}
    found = [
        (name, place)
        for name, number, phone in PEOPLE
        for sign in _signs(number, phone)
        for place, content in hoards.items()
        if sign in content
    ]
    assert found == []
