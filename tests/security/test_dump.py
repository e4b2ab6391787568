"""What a thief of the database, of Redis or of the files holds: no ID number and no phone, whole or in pieces."""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dj_database_url
import psycopg2
import pytest
import redis
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from foundation.identity import make_number
from foundation.imports.models import ImportBatch
from foundation.imports.views.batch import seen
from foundation.jobs.models import Job
from foundation.jobs.services.run import run_job
from tests.contributions.conftest import TODAY
from tests.factories import make_cast
from tests.imports.office import registration_row

PROJECT = Path(__file__).resolve().parents[2]
PEOPLE = [
    (f"居民{n}", make_number("370406", date(1950 + n, 3, 1 + n), 101 + 2 * n), f"1390637{4100 + n * 37}")
    for n in range(12)
]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT,
        env={**os.environ, "PORTAL_LOG_LEVEL": "DEBUG", **environment}, capture_output=True, text=True, timeout=280,
        check=False,
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


def _file(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _lists(folder: Path) -> dict[str, Path]:
    """A file of every kind that names people, each with a row that goes back."""
    people = [{"姓名": name, "身份证号": number} for name, number, _phone in PEOPLE]
    wrong = {"姓名": "无此人", "身份证号": PEOPLE[0][1][:-1] + ("0" if PEOPLE[0][1][-1] != "0" else "1")}
    everybody = [*people, wrong]
    files = {
        "category": [row | {"身份类别": "低保", "认定时间": "2022-01-01"} for row in everybody],
        "deaths": [row | {"死亡时间": "2022-11-01"} for row in everybody[-4:]],
        "employee_insured": [row | {"参保险种": "职工基本医疗保险"} for row in everybody],
        "students": [row | {"学段": "大学"} for row in everybody],
        "residence_permits": [row | {"持证方式": "本人"} for row in everybody],
        "paid_elsewhere": [row | {"参保地类型": "市外"} for row in everybody],
        "enrolment_history": [row | {"中断年数": "1"} for row in everybody],
        "last_year_payments": [
            row | {"险种": "医疗", "实缴金额": "320", "村(居)": "东村"} for row in everybody
        ],
        "household_register": [row | {"户号": "1", "住址": "甲镇东村1号"} for row in everybody],
        "family_planning": [
            {"丈夫姓名": row["姓名"], "丈夫身份证号": row["身份证号"], "家庭类型": "独生子女"}
            for row in everybody
        ],
        "tax_results": [
            row | {"征收品目": "医疗", "实缴金额": "350", "开票日期": "2022-11-08", "税票号": f"V{n}"}
            for n, row in enumerate(everybody)
        ],
    }
    return {kind: _file(folder / f"{kind}.csv", rows) for kind, rows in files.items()}


def test_no_kind_of_file_leaves_a_number_behind(
    stack: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every kind that names people, by command and by the page with its jobs: tables, Redis, logs, job results, kept files,
    workbooks of what a check found, file names, and the temp directory: 0 hits."""
    cast = make_cast()
    temp = tmp_path / "tmp"
    temp.mkdir()
    said = []
    rows = [
        registration_row(姓名=name, 户主姓名=name, 身份证号=number, 联系电话=phone, 户编号=f"{n:04d}")
        for n, (name, number, phone) in enumerate(PEOPLE)
    ]
    county = ["--county", "370406", "--plan", "shanting-2023", "--json"]
    commands = [
        ["load_county", "370406"], ["load_plan", "shanting-2023"],
        ["import_file", "registration", str(_file(tmp_path / f"{PEOPLE[0][1]}.csv", rows)), *county],
        ["assess", "--plan", "shanting-2023", "--date", TODAY.isoformat()],
    ]  # fmt: skip
    lists = _lists(tmp_path)
    commands += [["import_file", kind, str(path), *county] for kind, path in lists.items()]
    for command in commands:
        done = _run(*command, TMPDIR=str(temp))
        assert done.returncode == 0, (command, done.stderr[-2000:])
        said.append(done.stdout + done.stderr)
    # By the page: received, looked at, checked with what it shows, applied, all by jobs.
    with caplog.at_level(logging.DEBUG):
        client = Client()
        client.force_login(cast.user("medical_bureau"), backend="django.contrib.auth.backends.ModelBackend")
        for kind in ("category", "registration"):
            path = lists.get(kind, tmp_path / f"{PEOPLE[0][1]}.csv")
            file = SimpleUploadedFile(f"{PEOPLE[1][1]}名单.csv", path.read_bytes())
            client.post(reverse("imports:home"), {"kind": kind, "plan": "shanting-2023", "files": file})
            batch = ImportBatch.objects.latest("pk")
            for step in ("", "apply"):
                if step:
                    client.post(reverse("imports:apply", args=[batch.pk]), {"seen": seen(batch)})
                job = Job.objects.filter(state="queued").latest("created_at")
                run_job(str(job.pk), worker="test")
                batch.refresh_from_db()
            assert batch.state == "applied", batch.summary
    tables = _dump(stack)
    assert tables["imports_returnedrow"].count(b"\n") >= len(lists)
    assert tables["imports_importfinding"].count(b"\n") >= 1
    hoards = {f"table {name}": content for name, content in tables.items()}
    hoards["output"] = "\n".join([*said, caplog.text]).encode()
    server = redis.Redis.from_url(settings.REDIS_URL)
    for key in server.scan_iter():
        hoards[f"redis {key!r}"] = key + (server.dump(key) or b"")
    server.close()
    for place in (Path(os.environ["PORTAL_DATA_DIR"]), temp, Path(settings.DATA_DIR)):
        hoards |= {f"file {path}": path.read_bytes() for path in place.rglob("*") if path.is_file()}
        hoards[f"names in {place}"] = "\n".join(str(path) for path in place.rglob("*")).encode()
    found = [
        (name, place)
        for name, number, phone in PEOPLE
        for sign in _signs(number, phone)
        for place, content in hoards.items()
        if sign in content
    ]
    assert found == []
    assert [path for path in temp.rglob("*") if path.is_file()] == []
