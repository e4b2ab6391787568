"""Hundreds of steps of the register's life in any order: no money and no registration lost, one living record a number."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from contributions.models import Assessment, Charge, PaymentLine
from contributions.services.ledger import verify_ledger
from contributions.services.register import people
from contributions.services.register.doubles import merge, unmerge
from contributions.services.register.enrol import Wanted, enrol_newcomer, register_resident
from contributions.services.register.moves import NewHome, accept_transfer, move_people
from contributions.services.register.places import change_unit
from enrollment.models import (
    ClosingReason,
    FamilyRecord,
    FormerNumber,
    LeaveReason,
    Membership,
    PairVerdict,
    Registration,
    Resident,
    ResidentEvent,
    ResidentPair,
    Tier,
)
from enrollment.services.life import households, moves
from enrollment.services.life.people import Newcomer
from foundation.identity import make_number
from foundation.scope.context import scope
from tests.register.conftest import TODAY, Life, rolled_back
from townships.models import CollectingUnit, User

PAPERS = ("id_paper", "form")
PICK = st.integers(0, 10**6)
BIRTHS = [date(1950, 1, 1), date(1960, 6, 6), date(1985, 5, 5), date(2001, 9, 9), date(2015, 3, 3)]


# The steps by what each draws, for the long walk: money more often than the rest.
STEPS: list[tuple[str, tuple[str, ...]]] = [
    ("newcomer", ("unit", "birth", "both")), ("register", ("who",)), ("pay", ("what",)), ("pay", ("what",)),
    ("pay", ("what",)), ("move", ("who", "unit", "along")), ("transfer", ("who", "along", "answer")),
    ("transfer", ("who", "along", "answer")), ("death", ("who", "days")), ("no_death", ("who",)),
    ("leave", ("who", "why")), ("come_back", ("who",)), ("come_back", ("who",)), ("close", ("what", "why")),
    ("reopen", ("what",)), ("tier", ("what", "tier")), ("one_household", ("who", "other")), ("own_household", ("who",)),
    ("same_person", ("who", "other")), ("not_the_same", ("what",)), ("number", ("who", "birth")),
    ("hand_over", ("unit", "to")),
]  # fmt: skip


def _machine(life: Life) -> type[RuleBasedStateMachine]:
    class Register(RuleBasedStateMachine):
        """A register of a few people; whatever a service refuses in words changes nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.stack = ExitStack()
            self.stack.enter_context(rolled_back())
            self.stack.enter_context(scope(life.bureau))
            self.units: list[CollectingUnit] = [life.cast.dong, life.cast.xi, life.cast.nan]
            self.made = 0
            self.registrations = 0
            self.received = Decimal("0.00")
            self.paid_at: dict[int, int] = {}
            self.tiers = list(Tier.objects.filter(plan=life.plan).values_list("amount", flat=True))

        def teardown(self) -> None:
            self.stack.close()

        def _one(self, pick: int, rows: Any) -> Any:
            found = list(rows.order_by("pk"))
            return found[pick % len(found)] if found else None

        def _living(self, pick: int) -> Any:
            return self._one(pick, Resident.objects.filter(merged_into=None))

        def _try(self, act: Callable[[], Any]) -> None:
            with suppress(ValidationError):
                act()

        def _clerk_of(self, person: Resident) -> User:
            return life.clerk if person.township_id == life.cast.jia.pk else life.other_clerk

        @initialize()
        def some_people(self) -> None:
            for n in range(4):
                self._newcomer(n, n, ("medical", "pension"))

        def _newcomer(self, unit: int, birth: int, insurances: tuple[str, ...]) -> None:
            self.made += 1
            born = BIRTHS[birth % len(BIRTHS)]
            newcomer = Newcomer(
                name=f"人{'甲乙丙'[self.made % 3]}", number=make_number("370406", born, self.made)
            )
            wanted = Wanted(life.plan, insurances, tier="300", papers=PAPERS)
            enrol_newcomer(
                by=life.bureau, unit=self.units[unit % 3], newcomer=newcomer, wanted=wanted, on=TODAY
            )
            self.registrations += len(insurances)

        @rule(unit=PICK, birth=PICK, both=st.booleans())
        def newcomer(self, unit: int, birth: int, both: bool) -> None:
            if Resident.objects.filter(merged_into=None).count() < 9:
                self._newcomer(unit, birth, ("medical", "pension") if both else ("medical",))

        @rule(who=PICK)
        def register(self, who: int) -> None:
            person = self._living(who)
            wanted = Wanted(life.plan, ["pension"], tier="300", papers=PAPERS)
            before = Registration.objects.count()
            self._try(lambda: register_resident(by=life.bureau, resident=person.pk, wanted=wanted))
            self.registrations += Registration.objects.count() - before

        @rule(what=PICK)
        def pay(self, what: int) -> None:
            charge = self._one(what, Charge.objects.filter(current=True, personal_amount__gt=0))
            if charge is not None:
                payment = life.pay_charge(charge, life.bureau_collecting)
                self.received += payment.received
                self.paid_at.setdefault(charge.registration_id, charge.unit_id)

        @rule(who=PICK, unit=PICK, along=st.booleans())
        def move(self, who: int, unit: int, along: bool) -> None:
            person = self._living(who)
            self._try(
                lambda: move_people(
                    by=life.bureau, residents=[person.pk], to_unit=self.units[unit % 3], home=NewHome(), on=TODAY,
                    evidence="证明", with_registrations=along,
                )
            )  # fmt: skip

        @rule(who=PICK, along=st.booleans(), answer=st.booleans())
        def transfer(self, who: int, along: bool, answer: bool) -> None:
            person = self._living(who)
            clerk = self._clerk_of(person)
            here = person.township_id == life.cast.jia.pk
            other, unit = (life.other_clerk, self.units[2]) if here else (life.clerk, self.units[0])
            parties: list[Any] = []

            def offer() -> None:
                with scope(clerk):
                    made = moves.offer(
                        by=clerk, residents=[person.pk], to_unit=unit, on=TODAY, evidence="证明",
                        with_registrations=along,
                    )  # fmt: skip
                parties.append(made[0].party)

            self._try(offer)
            if parties:
                with scope(other):
                    if answer:
                        accept_transfer(by=other, party=parties[0], home=NewHome())
                    else:
                        moves.decline(by=other, party=parties[0], answer="不是本村的人")

        @rule(who=PICK, days=st.integers(0, 30))
        def death(self, who: int, days: int) -> None:
            person = self._living(who)
            day = TODAY - timedelta(days)
            self._try(
                lambda: people.record_death(
                    by=life.bureau, resident=person.pk, died_on=day, source="村委会", evidence="证明"
                )
            )

        @rule(who=PICK)
        def no_death(self, who: int) -> None:
            person = self._living(who)
            self._try(lambda: people.undo_death(by=life.bureau, resident=person.pk, evidence="误报"))

        @rule(who=PICK, why=st.sampled_from(LeaveReason.values))
        def leave(self, who: int, why: str) -> None:
            person = self._living(who)
            self._try(
                lambda: people.deregister(
                    by=life.bureau, resident=person.pk, why=why, on=TODAY, evidence="证明"
                )
            )

        @rule(who=PICK)
        def come_back(self, who: int) -> None:
            person = self._living(who)
            self._try(lambda: people.take_back(by=life.bureau, resident=person.pk, on=TODAY, evidence="证明"))

        @rule(what=PICK, why=st.sampled_from(ClosingReason.values))
        def close(self, what: int, why: str) -> None:
            row = self._one(what, Registration.objects.all())
            self._try(
                lambda: people.settle_registration(
                    by=life.bureau, registration=row.pk, reason=why, on=TODAY, evidence="签字"
                )
            )

        @rule(what=PICK)
        def reopen(self, what: int) -> None:
            row = self._one(what, Registration.objects.all())
            self._try(
                lambda: people.unsettle_registration(by=life.bureau, registration=row.pk, evidence="签字")
            )

        @rule(what=PICK, tier=PICK)
        def tier(self, what: int, tier: int) -> None:
            row = self._one(what, Registration.objects.filter(insurance="pension"))
            if row is not None:
                amount = self.tiers[tier % len(self.tiers)]
                self._try(
                    lambda: people.change_tier(
                        by=life.bureau, registration=row.pk, tier=str(amount), evidence="本人申请"
                    )
                )

        @rule(who=PICK, other=PICK)
        def one_household(self, who: int, other: int) -> None:
            one, two = self._living(who), self._living(other)
            self._try(
                lambda: households.merge_households(
                    by=life.bureau,
                    household=one.household_id,
                    into=two.household_id,
                    on=TODAY,
                    evidence="申请",
                )
            )

        @rule(who=PICK)
        def own_household(self, who: int) -> None:
            person = self._living(who)
            self._try(
                lambda: households.split_household(
                    by=life.bureau, household=person.household_id, leaving=[person.pk], head=person.pk, on=TODAY,
                    evidence="申请",
                )
            )  # fmt: skip

        @rule(who=PICK, other=PICK)
        def same_person(self, who: int, other: int) -> None:
            one, two = self._living(who), self._living(other)
            self._try(lambda: merge(by=life.bureau, living=one.pk, merged=two.pk, reason="同一个人"))

        @rule(what=PICK)
        def not_the_same(self, what: int) -> None:
            row = self._one(what, ResidentPair.objects.filter(verdict=PairVerdict.SAME))
            if row is not None:
                with suppress(Resident.DoesNotExist):  # the one it was merged into is merged itself by now
                    self._try(lambda: unmerge(by=life.bureau, pair=row.pk, reason="是两个人"))

        @rule(who=PICK, birth=PICK)
        def number(self, who: int, birth: int) -> None:
            self.made += 1
            person = self._living(who)
            number = make_number("370406", BIRTHS[birth % len(BIRTHS)], 400 + self.made)
            self._try(
                lambda: people.give_number(
                    by=life.bureau, resident=person.pk, number=number, on=TODAY, evidence="身份证",
                    number_decides=True,
                )
            )  # fmt: skip

        @rule(unit=PICK, to=PICK)
        def hand_over(self, unit: int, to: int) -> None:
            one, two = self.units[unit % 3], self.units[to % 3]
            if one.pk != two.pk:
                self._try(
                    lambda: change_unit(
                        by=life.bureau, unit=one.pk, to_unit=two.pk, on=TODAY, evidence="批复"
                    )
                )

        @invariant()
        def nothing_is_lost(self) -> None:
            assert Registration.objects.count() == self.registrations
            proof = verify_ledger()
            assert proof.ok, proof.broken
            assert proof.residual == 0
            held = PaymentLine.objects.aggregate(n=Sum("amount"), e=Sum("payment__excess", distinct=True))
            assert (held["n"] or 0) <= self.received
            for registration, unit in self.paid_at.items():
                row = Registration.objects.get(pk=registration)
                assert row.unit_id == unit, "money moved"
                places = set(PaymentLine.objects.filter(registration=row).values_list("unit_id", flat=True))
                assert places == {unit}

        @invariant()
        def one_living_record_a_number(self) -> None:
            twice = (
                Resident.objects.filter(merged_into=None, number_index__isnull=False)
                .values("number_index")
                .annotate(n=Count("pk"))
                .filter(n__gt=1)
            )
            assert not twice
            assert not Charge.objects.filter(current=True).exclude(resident__merged_into=None).exists()
            assert not Assessment.objects.exclude(resident__merged_into=None).exists()

        @invariant()
        def everything_stands_at_its_place(self) -> None:
            current = Charge.objects.filter(current=True)
            assert not current.exclude(
                unit=F("registration__unit"), resident=F("registration__resident")
            ).exists()
            assert not Resident.objects.filter(merged_into=None).exclude(household__unit=F("unit")).exists()
            for model in (Membership, FamilyRecord, FormerNumber):
                assert not model.objects.exclude(unit=F("resident__unit")).exists()
            registered: dict[int, set[int]] = {}
            for resident, unit in Registration.objects.values_list("resident_id", "unit_id"):
                registered.setdefault(resident, set()).add(unit)
            for person in Resident.objects.all():
                elsewhere = registered.get(person.pk, set()) - {person.unit_id}
                assert set(person.also_units or ()) == elsewhere
            homes = Registration.objects.filter(household__isnull=False).select_related("household")
            for row in homes:
                assert row.household is not None
                assert row.unit_id in {row.household.unit_id, *(row.household.also_units or ())}

    return Register


def test_the_register_lives_and_loses_nothing(life: Life) -> None:
    """Short lives, searched by hypothesis: whatever it finds is shrunk to the steps that matter."""
    run_state_machine_as_test(
        _machine(life),
        settings=settings(
            max_examples=3, stateful_step_count=40, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        ),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(2, 8))])
def test_a_long_life_loses_nothing(life: Life, seed: int) -> None:
    """Two hundred steps in one register, each kind as likely as any other; everything is looked at after every ten.

    More seeds by `make faults`.
    """
    machine: Any = _machine(life)()
    draw = random.Random(seed)
    some: dict[str, Callable[[], Any]] = {
        "both": lambda: draw.random() < 0.7, "along": lambda: draw.random() < 0.5,
        "answer": lambda: draw.random() < 0.7, "days": lambda: draw.randrange(30),
    }  # fmt: skip
    try:
        machine.some_people()
        done: Counter[str] = Counter()
        for step in range(200):
            name, needs = draw.choice(STEPS)
            values = {need: some.get(need, lambda: draw.randrange(10**6))() for need in needs}
            if "why" in values:
                values["why"] = draw.choice(LeaveReason.values if name == "leave" else ClosingReason.values)
            getattr(machine, name)(**values)
            done[name] += 1
            if step % 10 == 9:
                machine.nothing_is_lost()
                machine.one_living_record_a_number()
                machine.everything_stands_at_its_place()
        kinds = set(ResidentEvent.objects.values_list("kind", flat=True))
    finally:
        machine.teardown()
    assert set(done) == {name for name, _needs in STEPS}
    assert len({"moved", "merged", "died", "left", "closed", "unit_changed", "tier", "joined"} & kinds) >= 6
