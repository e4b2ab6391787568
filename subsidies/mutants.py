"""How well a plan's examples hold it: each small mistake in its file must make an example fail.

A mutant is killed when the plan is refused as it is read or an example of the plan comes out differently. A
mutant under which nobody of a crowd on both sides of every bound is answered otherwise, under any reading, is the
same plan in other words; it is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from subsidies.queries import differences, facts_of, fixture_path, plan_examples, plan_from_file, price
from subsidies.rules.crowd import crowd
from subsidies.rules.evaluator import evaluation_sql
from subsidies.rules.mutate import Mutant, mutants
from subsidies.rules.parse import build_plan
from subsidies.rules.plan import Plan
from subsidies.rules.source import PlanError, read_source

Answers = list[dict[str, Any]]


@dataclass
class Score:
    """What became of a plan's mutants; `refused` are among the killed."""

    plan: str
    examples: int
    killed: int = 0
    refused: int = 0
    without_effect: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        return self.killed + len(self.survivors)


@dataclass(frozen=True)
class _Round:
    """Examples asked together: of one insurance, under the same settings."""

    insurance: str
    overrides: Mapping[str, object]
    examples: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    statement: str
    answers: Answers


def score(code: str, examples: Sequence[Mapping[str, Any]] | None = None) -> Score:
    """Run the mutants of a plan file against its examples, or those given.

    Raises PlanError for a plan whose examples fail as it is.
    """
    plan = plan_from_file(fixture_path(code))
    _, lines = read_source(plan.text)
    examples = plan_examples(code) if examples is None else examples
    rounds = list(_rounds(plan, examples))
    for each in rounds:
        if not _agree(plan, each, each.answers):
            raise PlanError("examples_fail", plan=code)
    result = Score(code, len(examples))
    crowds = _Crowds(plan, [each.overrides for each in rounds])
    for mutant in mutants(plan, lines):
        _judge(mutant, rounds, crowds, result)
    return result


def _rounds(plan: Plan, examples: Sequence[Mapping[str, Any]]) -> Iterator[_Round]:
    together: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for example in examples:
        key = json.dumps(example.get("settings") or {}, sort_keys=True)
        together.setdefault((example["insurance"], key), []).append(example)
    # the largest rounds first: they find most mistakes
    for (insurance, key), members in sorted(together.items(), key=lambda item: -len(item[1])):
        overrides = json.loads(key)
        rows = [facts_of(plan, example, subject) for subject, example in enumerate(members, start=1)]
        answers = price(plan, insurance, rows, overrides)
        statement = evaluation_sql(plan, insurance, overrides)
        yield _Round(insurance, overrides, members, rows, statement, answers)


def _agree(plan: Plan, asked: _Round, answers: Answers) -> bool:
    pairs = zip(asked.examples, answers, strict=True)
    return not any(differences(plan, example["expected"], answer) for example, answer in pairs)


def _judge(mutant: Mutant, rounds: list[_Round], crowds: _Crowds, result: Score) -> None:
    touched = _touched(mutant, crowds.plan)
    try:
        changed = build_plan(mutant.document, crowds.plan.categories)
        killed = _killed(changed, rounds, touched)
        survives = not killed and crowds.tell_apart(changed, touched, mutant.place.startswith("scope."))
    except PlanError:
        result.refused += 1
        killed, survives = True, False
    if killed:
        result.killed += 1
    elif survives:
        result.survivors.append(mutant)
    else:
        result.without_effect += 1


def _killed(changed: Plan, rounds: list[_Round], touched: Sequence[str]) -> bool:
    """Whether an example fails; the round that finds a mistake is asked first about the next, its neighbour."""
    for place, asked in enumerate(rounds):
        if asked.insurance in touched and _fails(changed, asked):
            rounds.insert(0, rounds.pop(place))
            return True
    return False


def _touched(mutant: Mutant, plan: Plan) -> tuple[str, ...]:
    """The insurances whose statements a change can reach."""
    section, *rest = mutant.place.split(".")
    if section in plan.insurances:
        return (section,)
    if section == "windows":
        return (plan.windows[int(rest[0])].insurance,)
    return plan.insurances


def _fails(changed: Plan, asked: _Round) -> bool:
    """Whether an example of the round comes out otherwise under the changed plan."""
    answers = asked.answers
    if evaluation_sql(changed, asked.insurance, asked.overrides) != asked.statement:
        answers = price(changed, asked.insurance, asked.rows, asked.overrides)
    return not _agree(changed, asked, answers)


class _Crowds:
    """Asks two plans about the same crowd under every reading that matters, to see whether they are one plan."""

    def __init__(self, plan: Plan, known: Sequence[Mapping[str, object]]) -> None:
        self.plan = plan
        toggles = [toggle for each in (*plan.admissions, *plan.doubtful) for toggle in each.only_if]
        if plan.medical is not None:
            toggles += [toggle for waiver in plan.medical.waivers for toggle in waiver.only_if]
            toggles += [toggle for unclear in plan.medical.unclear for toggle in unclear.only_if]
        switched = [{toggle.setting: toggle.value} for toggle in toggles]
        stages = [
            {"plan.window_vs_stage": "stage"},
            {"pension.window": "stage"},
            {"pension.window": "window"},
        ]
        texts = dict.fromkeys(json.dumps(each, sort_keys=True) for each in ({}, *known, *switched, *stages))
        self._readings: list[dict[str, object]] = [json.loads(text) for text in texts]
        self._crowds = {insurance: crowd(plan, insurance) for insurance in plan.insurances}
        self._statements: dict[tuple[str, int], str] = {}
        self._answers: dict[tuple[str, int], Answers] = {}

    def tell_apart(self, changed: Plan, insurances: Sequence[str], scope: bool) -> bool:
        """Whether anybody is answered otherwise under the changed plan. Raises PlanError as the plans do.

        `scope`: only who is admitted was changed, which no other reading has a part in.
        """
        places = [
            place
            for place, reading in enumerate(self._readings)
            if not scope or all(name.startswith("scope.") for name in reading)
        ]
        return any(self._differ(changed, each, place) for each in insurances for place in places)

    def _differ(self, changed: Plan, insurance: str, place: int) -> bool:
        key, reading = (insurance, place), self._readings[place]
        if key not in self._statements:
            self._statements[key] = evaluation_sql(self.plan, insurance, reading)
        if evaluation_sql(changed, insurance, reading) == self._statements[key]:
            return False
        rows = self._crowds[insurance]
        if key not in self._answers:
            self._answers[key] = price(self.plan, insurance, rows, reading)
        return price(changed, insurance, rows, reading) != self._answers[key]
