"""The board of a place: everything a progress page or the API shows, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from contributions.models import CaseKind
from enrollment.models import CollectionPlan, Insurance, Stage, Target, Window
from progress import rules
from progress.queries import counts
from progress.queries.counts import Counts
from progress.queries.ground import Ground
from progress.queries.standing import BandRate, Row, Standing


@dataclass(frozen=True)
class Risk:
    """Something to look at: how many, yuan where money is involved."""

    kind: str
    label: str
    heads: int
    amount: Decimal | None
    wrong: bool


@dataclass
class Board:
    """What a page shows about one place."""

    plan: CollectionPlan
    ground: Ground
    insurance: str
    today: date
    season: rules.Season | None
    stages: list[Stage]
    standings: dict[str, Standing]
    rows: list[Row]
    bands: list[BandRate]
    money: Counts
    open: counts.Open
    risks: list[Risk]
    trend: dict[str, list[tuple[date, float]]]
    last_year: dict[str, list[tuple[date, float]]]
    printed_differs: int = 0

    @property
    def chosen(self) -> Standing:
        """The insurance the ranking is about."""
        return self.standings[self.insurance]

    @property
    def ranking(self) -> list[Row]:
        """Rows as shown: townships best first; a township's many units slowest first, unrated ones at the end."""
        if self.ground.level == "county":
            return self.rows
        rated = [row for row in self.rows if row.position is not None]
        return rated[::-1] + [row for row in self.rows if row.position is None]

    @property
    def behind(self) -> list[Row]:
        """The last of the ranking, slowest first."""
        return [row for row in reversed(self.rows) if row.is_last]

    def forecast(self, insurance: str) -> list[tuple[date, float]]:
        """The coming days until the season's end, by the pace of the last seven."""
        points = self.trend.get(insurance, [])
        if self.season is None or not points:
            return []
        ahead = rules.outlook([share for _day, share in points], self.season.left(self.today))
        return [(self.today + timedelta(days=i), share) for i, share in enumerate(ahead, start=1)]

    @property
    def expected(self) -> float | None:
        """Where the chosen insurance ends by the pace of the last seven days, percent."""
        ahead = self.forecast(self.insurance)
        return ahead[-1][1] if ahead else None

    @property
    def last_days(self) -> list[tuple[date, list[float | None]]]:
        """The last seven days' rates, newest first, one an insurance."""
        lines = [dict(self.trend.get(name, [])) for name in self.standings]
        recent = [self.today - timedelta(days=i) for i in range(rules.PACE_DAYS)]
        return [
            (day, [line.get(day) for line in lines]) for day in recent if any(day in line for line in lines)
        ]

    @property
    def stage(self) -> Stage | None:
        """The stage of the work today."""
        for stage in self.stages:
            if (
                stage.starts_on
                and stage.starts_on <= self.today
                and (stage.ends_on is None or self.today <= stage.ends_on)
            ):
                return stage
        return None

    @property
    def season_passed(self) -> int:
        """Day of the season."""
        return self.season.passed(self.today) if self.season else 0

    @property
    def season_left(self) -> int:
        """Days left."""
        return self.season.left(self.today) if self.season else 0

    @property
    def time_gone(self) -> float | None:
        """Percent of the season gone."""
        return self.season.gone(self.today) if self.season else None

    @property
    def all_below_last_year(self) -> bool:
        """Whether every named last one is below the same day of last year."""
        return bool(self.behind) and all((row.versus_last_year or 0) < 0 for row in self.behind)

    @property
    def counted(self) -> bool:
        """Whether anything has been counted yet."""
        return any(s.counts.in_scope or s.counts.paid for s in self.standings.values())


def board(
    plan: CollectionPlan, ground: Ground, *, insurance: str, today: date, until: date | None = None
) -> Board:
    """Count everything about a place. ``insurance`` chooses what the ranking is about.

    ``until`` winds what moves (paid, confirmed, amounts) back to the end of an earlier day. Bands and money on its
    way are not kept by day and are left out then; who is in scope stays as it is now.
    """
    previous = CollectionPlan.objects.in_force().filter(
        county_id=plan.county_id, coverage_year=plan.coverage_year - 1, insurances__contains=[insurance]
    ).order_by("-version").first()  # fmt: skip
    targets = _Targets(plan, previous, ground)
    season, stages = _season(plan, insurance)
    cells = counts.cells(plan.pk, ground.places, by_unit=ground.by_unit)
    if until is not None:
        cells = _wound_back(cells, counts.cells_until(plan.pk, ground.places, until, by_unit=ground.by_unit))
    days = counts.days(plan.pk, ground.places, by_unit=ground.by_unit, since=today)
    before = counts.days(
        previous.pk if previous else 0, ground.places, by_unit=ground.by_unit, since=date.min
    )

    # The task table reaches townships; a unit, or some units of a township, have none.
    whole = bool(ground.places.townships)
    standings = _standings(plan, cells, targets.of(plan, None) if whole else None)
    by_place: dict[int, list[counts.Cell]] = defaultdict(list)
    for cell in cells:
        by_place[cell.place].append(cell)
    rows = {
        key: Row(
            code, name, _standings(plan, by_place[key], None if ground.by_unit else targets.of(plan, key))
        )
        for key, code, name in ground.children
    }
    # A township without target and without people (a zone nobody lives in) is no row.
    rows = {key: row for key, row in rows.items() if ground.by_unit or row.inhabited}
    for day in days:
        if day.day == today and day.place is not None and day.insurance in standings:
            standings[day.insurance].paid_today += day.paid
            if day.place in rows:
                rows[day.place].standings[day.insurance].paid_today += day.paid
    if previous is not None and not ground.by_unit:
        last_year = _last_year(before, rules.year_before(today), insurance)
        for key, row in rows.items():
            _compare(row, insurance, last_year.get(key), targets.of(previous, key))
    money = Counts()
    for standing in standings.values():
        money.add(standing.counts)
    late = today - timedelta(days=rules.OVERDUE_DAYS + 1)
    waiting = counts.Open()
    if until is None:
        waiting = counts.open_money(plan.pk, ground.places, today=today, late=late)
    return Board(
        plan=plan, ground=ground, insurance=insurance, today=today, season=season, stages=stages,
        standings=standings, rows=_ranked(list(rows.values()), insurance),
        bands=_bands(plan, standings) if until is None else [], money=money, open=waiting,
        risks=_risks(plan, ground, waiting, today),
        trend={name: _trend(days, standing, season, today) for name, standing in standings.items()},
        last_year={insurance: _trend_before(before, previous, insurance, targets)} if previous else {},
        printed_differs=targets.difference(plan, insurance),
    )  # fmt: skip


def _wound_back(cells: list[counts.Cell], moved: dict[tuple[int, str], Counts]) -> list[counts.Cell]:
    still = {name: getattr(Counts, name) for name in counts.MOVING}
    kept = [replace(cell, counts=replace(cell.counts, **still)) for cell in cells]
    return kept + [counts.Cell(place, insurance, "", moving) for (place, insurance), moving in moved.items()]


class _Targets:
    """Task tables of this year's plan and the one before: rows by township, the printed total apart."""

    def __init__(self, plan: CollectionPlan, previous: CollectionPlan | None, ground: Ground) -> None:
        self.ground = ground
        self.rows: dict[tuple[int, str], dict[int | None, int]] = defaultdict(dict)
        ids = [plan.pk] + ([previous.pk] if previous else [])
        for plan_id, insurance, township, heads in Target.objects.filter(plan_id__in=ids).values_list(
            "plan_id", "insurance", "township_id", "headcount"
        ):
            self.rows[plan_id, insurance][township] = heads

    def of(self, plan: CollectionPlan, township: int | None) -> dict[str, int | None]:
        """Target by insurance of a township, or of the ground's townships together (``township`` None)."""
        found: dict[str, int | None] = {}
        for insurance in plan.insurances:
            rows = self.rows.get((plan.pk, insurance), {})
            wanted = [township] if township is not None else sorted(self.ground.places.townships)
            heads = [rows[key] for key in wanted if key in rows]
            if heads:
                found[insurance] = sum(heads)
            elif any(key is not None for key in rows):
                found[insurance] = 0  # a table that leaves this place out gives it no target
        return found

    def difference(self, plan: CollectionPlan, insurance: str) -> int:
        """Printed total less the sum of the rows, of the county; 0 where none is printed."""
        rows = dict(self.rows.get((plan.pk, insurance), {}))
        printed = rows.pop(None, None)
        return 0 if printed is None or self.ground.level != "county" else printed - sum(rows.values())


def _season(plan: CollectionPlan, insurance: str) -> tuple[rules.Season | None, list[Stage]]:
    """The collection stage; a plan without stages has its payment period instead."""
    stages = list(Stage.objects.filter(plan=plan).order_by("starts_on", "pk"))
    windows = list(Window.objects.filter(plan=plan, kind="collection").order_by("opens_on"))
    for stage in stages:
        if stage.kind == "collection" and stage.starts_on and stage.ends_on:
            return rules.Season(stage.starts_on, stage.ends_on), stages
    for window in windows:
        if window.insurance == insurance and window.closes_on:
            return rules.Season(window.opens_on, window.closes_on), stages
    return None, stages


def _standings(
    plan: CollectionPlan, cells: list[counts.Cell], targets: dict[str, int | None] | None
) -> dict[str, Standing]:
    includes = rules.includes_exempt(plan.settings)
    found = {
        name: Standing(
            name,
            target=(targets or {}).get(name),
            includes_exempt=includes,
            against_target=targets is not None,
        )
        for name in Insurance.values
        if name in plan.insurances
    }
    for cell in cells:
        standing = found.get(cell.insurance)
        if standing is not None:
            standing.counts.add(cell.counts)
            standing.bands[cell.band].add(cell.counts)
    return found


def _ranked(rows: list[Row], insurance: str) -> list[Row]:
    """Best first; the last ones marked, with the places each gained or lost since yesterday."""
    own = {row.code: row.standings[insurance] for row in rows}
    now = {code: standing.rate for code, standing in own.items()}
    then = {
        code: standing.share(standing.counts.paid - standing.paid_today) for code, standing in own.items()
    }
    position, earlier = rules.ranks(now), rules.ranks(then)
    ordered = sorted(rows, key=lambda row: position[row.code])
    rated = [row for row in ordered if now[row.code] is not None]
    for row in rated:
        row.position, row.moved = position[row.code], earlier[row.code] - position[row.code]
    for row in rated[len(rated) - rules.named_last(len(rated)) :]:
        row.is_last = now[row.code] != now[rated[0].code]
    return ordered


def _last_year(before: list[counts.Day], until: date, insurance: str) -> dict[int, int]:
    """Paid by the same day of the year before, by place."""
    paid: dict[int, int] = defaultdict(int)
    for day in before:
        if day.place is not None and day.insurance == insurance and day.day <= until:
            paid[day.place] += day.paid
    return paid


def _compare(row: Row, insurance: str, paid_before: int | None, targets: dict[str, int | None]) -> None:
    before = rules.rate(paid_before, targets.get(insurance) or 0) if paid_before is not None else None
    now = row.standings[insurance].completion_rate
    if before is not None and now is not None:
        row.versus_last_year = round(now - before, 1)


def _bands(plan: CollectionPlan, standings: dict[str, Standing]) -> list[BandRate]:
    found = []
    printed = CollectionPlan.objects.filter(pk=plan.pk).values_list("document__rates", flat=True)
    for target in rules.band_targets(printed[0]):
        standing = standings.get(target.insurance)
        if standing is None:
            continue
        own = standing.bands[target.band]
        done, whole = own.paid + own.exempt, own.registered if target.against_registered else own.in_scope
        found.append(
            BandRate(
                target.band, target.insurance, done, whole, rules.rate(done, whole), target.percent,
                target.against_registered,
            )
        )  # fmt: skip
    return found


def _risks(plan: CollectionPlan, ground: Ground, waiting: counts.Open, today: date) -> list[Risk]:
    found = [
        Risk(kind, str(CaseKind(kind).label), heads, amount, wrong=True)
        for kind, heads, amount in counts.open_cases(plan.pk, ground.places)
    ]
    if waiting.late_heads:
        found.append(Risk("unconfirmed", "", waiting.late_heads, waiting.late_amount, wrong=False))
    since = today - timedelta(days=2)
    stalled = counts.stalled_units(plan.pk, ground.places, since=since) if ground.level != "unit" else 0
    if stalled:
        found.append(Risk("stalled", "", stalled, None, wrong=False))
    return found


def _trend(
    days: list[counts.Day], standing: Standing, season: rules.Season | None, today: date
) -> list[tuple[date, float]]:
    """Cumulative rate at the end of each day until today."""
    added: dict[date, int] = defaultdict(int)
    for moved in days:
        if moved.insurance == standing.insurance:
            added[moved.day] += moved.paid
    if not added and season is None:
        return []
    first = min([*added, *([season.opens] if season else [])])
    total, line = 0, []
    for day in rules.calendar(first, max(today, first)):
        total += added.get(day, 0)
        if season is None or day >= season.opens:
            line.append((day, standing.share(total) or 0.0))
    return line


def _trend_before(
    before: list[counts.Day], previous: CollectionPlan | None, insurance: str, targets: _Targets
) -> list[tuple[date, float]]:
    """Last year's line, each day moved to this year."""
    target = (targets.of(previous, None) if previous else {}).get(insurance) or 0
    added: dict[date, int] = defaultdict(int)
    for moved in before:
        if moved.insurance == insurance:
            added[moved.day] += moved.paid
    total, line = 0, []
    for day in sorted(added):
        total += added[day]
        if (share := rules.rate(total, target)) is not None:
            line.append((_year_after(day), share))
    return line


def _year_after(day: date) -> date:
    return date(day.year + 1, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)
