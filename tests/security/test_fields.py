"""Every field that can hold words is classified: plain, personal, or personal and encrypted. A new one fails here."""

from __future__ import annotations

from typing import Final

from django.db import models

from tests.security.test_walls import OURS

# Codes, states, labels, papers: they say nothing of a person on their own.
PLAIN: Final = {
    "clock.CountyClock": "county_code",
    "audit.AuditEvent": "action county_code township_code target_kind target detail",
    "audit.AuditSeal": "previous digest",
    "jobs.Job": "kind county_code places params key state lease_owner result error",
    "jobs.JobChunk": "spec state owner result error",
    "imports.ImportBatch": "kind county_code plan_code category_code file_name sha256 sender findings_stored_as mapping state"
    " reasons summary",
    "imports.ImportFile": "name sha256 stored_as left_out",
    "imports.ImportChange": "relation",
    "imports.ImportFinding": "section",
    "imports.ImportMapping": "kind sender headers_digest mapping",
    "imports.ReturnedRow": "code message faults part told_how closed_reason",
    "subsidies.ListDelivery": "kind agency_kind note",
    "townships.County": "code name short_name aliases kind",
    "townships.Township": "code name short_name aliases",
    "townships.Area": "name",
    "townships.Village": "code name short_name aliases",
    "townships.CollectingUnit": "code name kind account_name account pos_number",
    "townships.Agency": "kind name phone",
    "townships.User": "password username email role",
    "townships.Device": "kind name",
    "enrollment.Category": "code name aliases agency_kind",
    "enrollment.Household": "number group_name also_townships also_units",
    "enrollment.Resident": "relation id_kind sex registration_area residence_permit school other_enrolment left_why"
    " also_townships also_units",
    "enrollment.Membership": "mark also_townships also_units",
    "enrollment.MarkStep": "to_state",
    "enrollment.FamilyRecord": "kind also_townships also_units",
    "enrollment.ResidentEvent": "kind source also_townships also_units",
    "enrollment.FormerNumber": "id_kind also_townships also_units",
    "enrollment.Transfer": "sex state also_townships also_units",
    "enrollment.ResidentPair": "verdict moved",
    "enrollment.Registration": "insurance closing_reason",
    "enrollment.PendingAssessment": "why",
    "enrollment.PoliceRecord": "household_number relation sex cancelled_why",
    "enrollment.PriorPayment": "insurance voucher",
    "contributions.Amendment": "state text standing_text digest",
    "contributions.AmendmentSum": "insurance digest",
    "contributions.AmendmentLine": "insurance outcome payers_after",
    "contributions.Assessment": "insurance decision reason timing standard_code waiver_code subsidy_code family_code"
    " decision_code warnings",
    "contributions.Charge": "insurance decision reason timing standard_code waiver_code subsidy_code family_code"
    " decision_code warnings kind",
    "contributions.ChargeShare": "payer rule",
    "contributions.PaidDifference": "insurance cause outcome setting reason_after ended",
    "contributions.Payment": "body_digest route means channel reason",
    "contributions.PaymentLine": "insurance part",
    "contributions.FundingRequest": "insurance list_code list_name list_kind department department_name applicant joint"
    " payer state payer_name account voucher bill reason",
    "contributions.FundingLine": "payer rule charge_kind",
    "contributions.FundingStep": "act to_state note",
    "contributions.FundingDifference": "cause",
    "contributions.PayerResolution": "payer rule level name account basis",
    "contributions.Sponsor": "kind",
    "contributions.PaymentCase": "kind detail state outcome",
    "contributions.TaxEntry": "insurance voucher channel",
    "contributions.BankEntry": "account serial",
    "contributions.FigureDelta": "insurance band",
    "rosters.Roster": "kind insurance number digest totals",
    "rosters.RosterLine": "household_number relation group_name means medical_voucher pension_voucher note",
    "notices.Posting": "place",
    "notices.GrantPosting": "place list_code list_name digest",
    "seasons.Confirmation": "insurance reason detail decision",
    "seasons.SeasonClosing": "reason warnings summary digest reopened_why",
    "seasons.ArchivedFile": "kind name stored_as sha256",
    "progress.UnitFigure": "insurance band",
    "progress.UnitDay": "insurance",
    "progress.InTransit": "insurance stage",
}  # fmt: skip
# Names and what leads to a person: shown within the scope alone, never in logs, jobs or the trail.
PERSONAL: Final = {
    "townships.User": "first_name last_name display_name",
    "townships.CollectingUnit": "agent_name agent_phone_tail",
    "enrollment.Household": "head_name house_number",
    "enrollment.Resident": "name initials nickname address phone_tail",
    "enrollment.PoliceRecord": "head_name name address",
    "enrollment.ResidentEvent": "detail evidence",  # names before and after, reasons in somebody's words
    "enrollment.Transfer": "name evidence answer",
    "enrollment.ResidentPair": "reason",
    "enrollment.PriorPayment": "name",
    "contributions.Payment": "payer_name",
    "contributions.BankEntry": "summary counterparty",  # a resident's own transfer names her
    "contributions.Sponsor": "name",
    "rosters.RosterLine": "head_name name house_number categories",
    "notices.GrantPosting": "entries",  # group, name, kind of grant, as posted
    "imports.ImportFinding": "sample",  # masked examples of what a check found
    "imports.ImportFile": "table",  # masked samples of what was sent
    "imports.ImportChange": "before",  # what a row held: numbers and phones as ciphertext
}
# Numbers and phones: AES-GCM, or a keyed index of them. Binary, so that nothing readable fits in by mistake.
ENCRYPTED: Final = {
    "townships.CollectingUnit": "agent_phone_encrypted",
    "enrollment.Resident": "number_encrypted number_index tail_index phone_encrypted",
    "enrollment.PoliceRecord": "number_encrypted number_index",
    "enrollment.FormerNumber": "number_encrypted number_index",
    "enrollment.PriorPayment": "number_encrypted number_index",
    "contributions.TaxEntry": "number_index",
    "rosters.RosterLine": "number_index number_encrypted phone_encrypted",
    "imports.ReturnedRow": "row_encrypted person_index",
}
# Rooms that hold papers and rules, no people.
WITHOUT_PEOPLE: Final = {"enrollment.CollectionPlan", "enrollment.Tier", "enrollment.Window", "enrollment.Stage",
                         "enrollment.Target", "subsidies.Rule"}  # fmt: skip
_WORDS = (models.CharField, models.TextField, models.JSONField, models.BinaryField)


def _table(source: dict[str, str]) -> set[tuple[str, str]]:
    return {(label, name) for label, names in source.items() for name in names.split()}


def _fields() -> dict[tuple[str, str], models.Field[object, object]]:
    return {
        (m._meta.label, f.name): f
        for m in OURS
        if m._meta.label not in WITHOUT_PEOPLE
        for f in m._meta.concrete_fields
        if isinstance(f, _WORDS) or type(f).__name__ == "ArrayField"
    }


def test_every_field_that_holds_words_is_classified_once() -> None:
    """Whoever adds one says what it holds; a name that is no field any more goes."""
    plain, personal, encrypted = _table(PLAIN), _table(PERSONAL), _table(ENCRYPTED)
    assert not plain & personal | plain & encrypted | personal & encrypted
    fields = set(_fields())
    assert sorted(fields - (plain | personal | encrypted)) == []
    assert sorted((plain | personal | encrypted) - fields) == []


def test_what_is_binary_is_encrypted_and_what_is_encrypted_is_binary() -> None:
    """No number can stand readable in a column meant for its ciphertext."""
    binary = {key for key, f in _fields().items() if isinstance(f, models.BinaryField)}
    assert binary == _table(ENCRYPTED)


def test_no_column_is_made_for_a_readable_number_or_phone() -> None:
    """A field called number or phone outside the encrypted ones is an office's, or a paper's."""
    allowed = {
        ("townships.CollectingUnit", "agent_phone_tail"),
        ("townships.Agency", "phone"), ("townships.CollectingUnit", "pos_number"), ("enrollment.Household", "number"),
        ("enrollment.Household", "house_number"), ("rosters.RosterLine", "house_number"),
        ("enrollment.Resident", "phone_tail"), ("rosters.Roster", "number"), ("rosters.RosterLine", "household_number"),
        ("enrollment.PoliceRecord", "household_number"),
    }  # fmt: skip
    suspicious = {
        key for key in _fields() if any(word in key[1] for word in ("number", "phone", "mobile", "card"))
    }
    assert suspicious - _table(ENCRYPTED) == allowed
