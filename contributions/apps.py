from __future__ import annotations

from django.apps import AppConfig


class ContributionsConfig(AppConfig):
    name = "contributions"

    def ready(self) -> None:
        """Declare the tax bureau's results, budgets and assessing as jobs, and what imports of the register mean for money."""
        # Models are loaded only now, and the kind stands on them.
        from contributions.services import (
            amendments,
            assess_job,
            bank_statement,
            budget_job,
            disbursement,
            funding,
            reassess,
            tax_results,
            undoing,
        )
        from enrollment.services.pending import on_touch
        from foundation.imports import kinds
        from foundation.jobs.kinds import register

        register(budget_job.WHAT_IF)
        register(assess_job.ASSESS)
        register(reassess.REASSESS)
        register(amendments.PREVIEW_KIND)
        register(amendments.EFFECT_KIND)
        on_touch(reassess.reassess_now)
        register(funding.MAKE)
        register(disbursement.DISBURSE)
        kinds.register(tax_results.KIND)
        kinds.register(bank_statement.KIND)
        register_kinds = (
            "registration", "category", "deaths", "employee_insured", "students", "residence_permits", "paid_elsewhere",
            "enrolment_history", "family_planning",
        )  # fmt: skip
        kinds.on_applied((*register_kinds, tax_results.KIND.name), tax_results.recount)
        kinds.on_next(register_kinds, reassess.after_import)
        kinds.on_undo(("registration",), undoing.money_stands)
        kinds.on_rows(undoing.drop_assessments)
