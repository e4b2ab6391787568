"""What the parts of a plan file share while it is read: its payers and groups, and the table of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from .conditions import Condition, Group, named_groups, parse_condition
from .plan import INSURANCES, PERSONAL, PayerShare, RuleRow, Toggle
from .settings import ALIASES, SETTINGS
from .source import Clause, Entry


class Book:
    """Collects rules in the order of the file and refuses a code used twice."""

    def __init__(
        self, payers: Mapping[str, str], groups: Mapping[str, Group], insurances: tuple[str, ...]
    ) -> None:
        self.payers = payers
        self.groups = groups
        self.insurances = insurances
        self.rules: list[RuleRow] = []
        self._lines: dict[str, int] = {}

    def add(
        self,
        entry: Entry,
        kind: str,
        *,
        insurance: str = "",
        condition: Condition | None = None,
        effect: Mapping[str, object] | None = None,
        shares: tuple[tuple[str, str], ...] = (),
    ) -> tuple[str, Clause]:
        """Put the rule written at `entry` into the table; return its code and clause."""
        if entry.get("code") is None:
            raise entry.error("missing_key", key="code")
        code = entry.at("code").code()
        if code in self._lines:
            raise entry.at("code").error("code_twice", code=code, first=self._lines[code])
        clause = entry.clause()
        self._lines[code] = entry.at("code").line
        name = entry.get("name")
        self.rules.append(
            RuleRow(
                code=code,
                kind=kind,
                insurance=insurance,
                position=len(self.rules) + 1,
                name=name.text() if name else "",
                condition=condition.words() if condition else {},
                effect=dict(effect or {}),
                shares=shares,
                clause=clause,
            )
        )
        return code, clause

    def condition(self, entry: Entry) -> Condition:
        """The condition of a rule: `groups:` as a short form, `when:` in full, or both."""
        found = parse_condition(when, self.groups) if (when := entry.get("when")) else Condition()
        if short := entry.get("groups"):
            if found.groups:
                raise short.error("key_twice", key="groups")
            found = Condition(**{**vars(found), "groups": named_groups(short, self.groups)})
        return found

    def needed_condition(self, entry: Entry) -> Condition:
        found = self.condition(entry)
        if found.is_empty:
            raise entry.error("missing_key", key="when")
        return found

    def insurances_of(self, entry: Entry) -> tuple[str, ...]:
        part = entry.get("insurances")
        found = part.choices(*INSURANCES) if part else self.insurances
        for insurance in found:
            if insurance not in self.insurances:
                raise (part or entry).error("insurance_not_in_plan", insurance=insurance)
        return found

    def payer(self, entry: Entry) -> str:
        name = entry.text()
        if name not in self.payers:
            raise entry.error("undefined_payer", name=name)
        return name

    def payer_shares(self, entry: Entry) -> tuple[PayerShare, ...]:
        """`{payer: share}` of the part others pay; the shares add up to 100 %."""
        found = tuple(PayerShare(self._payer_key(key, item), item.share()) for key, item in entry.pairs())
        self._whole(entry, sum((each.share for each in found), Fraction(0)))
        return _limited(entry, found)

    def shares(self, entry: Entry) -> tuple[Fraction, tuple[PayerShare, ...]]:
        """`{personal: share, payer: share}` of the whole; gives the personal one, the others' of the rest."""
        personal = Fraction(0)
        others: list[PayerShare] = []
        for key, item in entry.pairs():
            if key == PERSONAL:
                personal = item.share()
            else:
                others.append(PayerShare(self._payer_key(key, item), item.share()))
        self._whole(entry, personal + sum((each.share for each in others), Fraction(0)))
        rest = 1 - personal
        if not rest or not others:
            raise entry.error("nobody_else_pays")
        return personal, _limited(entry, tuple(PayerShare(each.payer, each.share / rest) for each in others))

    def toggles(self, entry: Entry) -> tuple[Toggle, ...]:
        part = entry.get("only_if")
        if part is None:
            return ()
        found = []
        for item in part.items():
            item.only("setting is", "insurance")
            name = item.at("setting").text()
            name = ALIASES.get(name, name)
            if name not in SETTINGS:
                raise item.at("setting").error("unknown_setting", name=name)
            setting = SETTINGS[name]
            known = setting.values if setting.kind == "choice" else ("true", "false")
            insurance = item.get("insurance")
            found.append(
                Toggle(name, item.at("is").choice(*known), insurance.choice(*INSURANCES) if insurance else "")
            )
        return tuple(found)

    def _payer_key(self, key: str, item: Entry) -> str:
        if key not in self.payers:
            raise item.error("undefined_payer", name=key)
        return key

    @staticmethod
    def _whole(entry: Entry, total: Fraction) -> None:
        if total != 1:
            percent = f"{float(total * 100):g}"
            raise entry.error("shares_not_whole", total=percent)


def _limited(entry: Entry, shares: tuple[PayerShare, ...]) -> tuple[PayerShare, ...]:
    """A charge has columns for two payers of the government-paid part."""
    if len(shares) > 2:
        raise entry.error("too_many_payers", count=len(shares))
    return shares
