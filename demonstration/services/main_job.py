"""The steps of the main job, each told with its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contributions.services.ledger import verify_ledger
from demonstration.services import government_money, season
from demonstration.synthetic import load_spec, make_files, scaled_targets
from demonstration.synthetic.pricing import pricer
from enrollment.models import CollectionPlan
from foundation.commands import answer_of
from foundation.scope.context import places_scope
from progress.services.figures import fold
from subsidies.services.life import publish_plan
from townships.models import CollectingUnit
from townships.queries import county_places
from townships.services.divisions import load_county

Bar = Callable[[int, int, str], None]


class MainJob:
    """From registration files to posted lists: what a county does in ten weeks, in a few minutes."""

    def __init__(self, *, residents: int, out: Path, say: Callable[[str], Any], bar: Bar) -> None:
        self.residents, self.out, self.say, self.bar = residents, out, say, bar
        self.files = out / "files"
        self.unit: CollectingUnit
        self.answer: dict[str, Any] = {"residents": residents}

    def step(self, name: str, work: Callable[[], str]) -> None:
        """Do one step and say what came of it and how long it took."""
        started = time.perf_counter()
        told = work()
        seconds = time.perf_counter() - started
        self.answer.setdefault("steps", {})[name] = round(seconds, 2)
        self.say(f"{seconds:7.2f} s  {name}: {told}")

    def run(self) -> dict[str, Any]:
        """All steps in the order of the year."""
        for name, work in (
            ("plan and places", self.places),
            ("files of the offices", self.make_files),
            ("registration data", self.registration),
            ("lists of the departments", self.lists),
            ("assess", self.assess),
            ("levy rosters", lambda: self.rosters("levy")),
            ("payments", self.payments),
            ("tax results", self.tax_results),
            ("government money", self.government_money),
            ("payment rosters", lambda: self.rosters("payment")),
            ("workbooks", self.workbooks),
            ("posted lists", self.posted_lists),
            ("figures", self.figures),
            ("proof of the ledger", self.proof),
        ):
            self.step(name, work)
        return self.answer

    @property
    def plan(self) -> CollectionPlan:
        """The season's plan, read afresh."""
        return CollectionPlan.objects.in_force().select_related("county").get(code=season.PLAN)

    def places(self) -> str:
        """Divisions, the plan with targets at our size, and an account for every role."""
        season.begin(self.residents)
        loaded = load_county(by=None, code=season.COUNTY)
        answer_of("load_plan", season.PLAN)
        spec = load_spec(season.COUNTY, season.PLAN, season.TODAY)
        targets = {}
        for township, pension, medical in scaled_targets(spec, self.residents):
            targets[township.code[:9], "pension"], targets[township.code[:9], "medical"] = pension, medical
        season.scale_targets(self.plan, targets)
        publish_plan(by=None, plan=self.plan)
        accounts = season.make_accounts(loaded.county)
        season.write_accounts(accounts, self.out / "accounts.json")
        return f"{loaded.townships} townships, {loaded.units} units, {len(accounts)} accounts"

    def make_files(self) -> str:
        """What the offices would send."""
        spec = load_spec(season.COUNTY, season.PLAN, season.TODAY)
        made = make_files(spec, self.residents, season.SEED, self.files, pricer(spec.plan), self.bar)
        return f"{len(made.files)} files, {sum(made.files.values())} rows"

    def bring_in(self, kind: str, *names: str, **options: str) -> str:
        """One import, told in a line."""
        arguments = [
            kind,
            *(str(self.files / name) for name in names),
            "--county",
            season.COUNTY,
            "--plan",
            season.PLAN,
        ]
        for option, value in options.items():
            arguments += [f"--{option}", value]
        got = answer_of("import_file", *arguments)
        self.answer.setdefault("imports", []).append({"kind": kind, **got})
        return f"{kind} {got['read']} read, {got['new']} new, {got['rejected']} back"

    def registration(self) -> str:
        """The tax bureau's registration data."""
        told = self.bring_in(
            "registration", "registration.csv", errors=str(self.out / "registration-errors.xlsx")
        )
        with places_scope(county_places(self.plan.county)):
            self.unit = season.settle_agent(self.plan)
        return f"{told}; the agent's unit is {self.unit.name}"

    def lists(self) -> str:
        """Special groups, deaths, the employed, students, families, last year's payments, the police's register."""
        told = [
            self.bring_in("category", f"categories/{path.name}", category=path.stem)
            for path in sorted((self.files / "categories").glob("*.xlsx"))
        ]
        told += [
            self.bring_in(kind, f"{kind}.xlsx")
            for kind in ("deaths", "employee_insured", "students", "family_planning")
        ]
        told += [self.bring_in(kind, f"{kind}.csv") for kind in ("last_year_payments", "household_register")]
        return f"{len(told)} lists; " + "; ".join(told[-6:])

    def assess(self) -> str:
        """What everybody owes, as of the demonstration's day."""
        got = answer_of("assess", "--plan", season.PLAN)
        self.answer["assess"] = got
        return f"{got['assessed']} assessed, {got['charges']} charges, personal {got['personal']} yuan"

    def rosters(self, kind: str) -> str:
        """Sealed rosters of every unit, by the worker."""
        got = answer_of("generate_rosters", "--plan", season.PLAN, "--kind", kind, "--wait")
        self.answer[f"{kind}_rosters"] = got
        return f"{got['rosters']} rosters, {got['lines']} lines ({got['state']})"

    def payments(self) -> str:
        """Village agents and township windows take money between 16 October and today."""
        plan = self.plan
        with places_scope(county_places(plan.county)):
            took = season.collect(plan, self.files / "tax_results.csv", self.bar)
        self.answer["payments"] = {
            "payments": took.payments,
            "lines": took.lines,
            "amount": f"{took.amount:.2f}",
        }
        return f"{took.payments} payments, {took.lines} lines, {took.amount:.2f} yuan"

    def tax_results(self) -> str:
        """The tax side confirms most of them; payments made by phone appear by themselves."""
        told = self.bring_in("tax_results", "tax_results.csv")
        summary = season.money_summary(self.plan)
        return f"{told}; {summary['confirmed']} of {summary['lines']} lines confirmed"

    def government_money(self) -> str:
        """Marks on their way, payers named, requests in every state, a sponsor in the agent's village."""
        plan = self.plan
        moved = government_money.move_marks(plan)
        funded = government_money.fund(plan, self.bar)
        self.answer["funding"] = funded
        sponsored = government_money.sponsor(plan, self.unit)
        states = ", ".join(f"{state} {n}" for state, n in funded["states"].items())
        return (
            f"{moved} marks moved; {funded['requests']} requests of {funded['people']} people,"
            f" {funded['amount']} yuan ({states}); {sponsored}"
        )

    def workbooks(self) -> str:
        """One workbook per village in one zip."""
        out = self.out / "payment-rosters.zip"
        got = answer_of("export_rosters", "--plan", season.PLAN, "--kind", "payment", "--out", str(out))
        self.answer["export"] = got
        return f"{got['workbooks']} workbooks, {got['lines']} lines, {got['bytes']} bytes"

    def posted_lists(self) -> str:
        """The posted list of the agent's village, as it hangs on the wall."""
        out = self.out / "posted-list.pdf"
        answer_of("posted_list", "--plan", season.PLAN, "--unit", self.unit.code, "--out", str(out))
        return out.name

    def figures(self) -> str:
        """Count the figures for the leader's page."""
        with places_scope(county_places(self.plan.county)):
            fold()
        return "folded"

    def proof(self) -> str:
        """Every yuan accounted for."""
        with places_scope(county_places(self.plan.county)):
            proof = verify_ledger()
        self.answer["residual"] = f"{proof.residual:.2f}"
        if not proof.ok:
            raise RuntimeError(f"the ledger does not add up: {proof.broken}")
        return f"residual {proof.residual:.2f}"
