-- Floor of `open_season`: last year's registrations into the new year by one statement, for whom deaths, employment,
-- school and age allow it; what was paid decides the last tier and the years missed. The lines to confirm are copied, not found.

-- section: tables
-- enrollment_registration seasons_confirmation

-- section: work
INSERT INTO floor.enrollment_registration (township_id, unit_id, village_id, resident_id, plan_id, insurance,
    coverage_year, tier, last_tier, is_new, missed_years, repaired_years, closing_reason)
SELECT r.township_id, r.unit_id, r.village_id, g.resident_id, %(plan)s, g.insurance, %(year)s, g.tier,
    CASE WHEN p.paid >= o.due OR o.due = 0 THEN g.tier END, false,
    CASE WHEN p.paid >= o.due OR o.due = 0 OR a.decision = 'refuse' THEN 0 ELSE 1 END, 0, ''
FROM public.enrollment_registration g
JOIN public.enrollment_resident r ON r.id = g.resident_id
LEFT JOIN (
    SELECT registration_id, sum(personal_amount) AS due FROM public.contributions_charge
    WHERE plan_id = %(source)s AND current AND for_year = %(year_before)s GROUP BY registration_id
) o ON o.registration_id = g.id
LEFT JOIN (
    SELECT registration_id, sum(amount) AS paid FROM public.contributions_paymentline GROUP BY registration_id
) p ON p.registration_id = g.id
LEFT JOIN public.contributions_assessment a ON o.due IS NULL AND a.resident_id = g.resident_id
    AND a.insurance = g.insurance AND a.coverage_year = %(year_before)s
WHERE g.plan_id = %(source)s AND r.death_date IS NULL
  AND NOT CASE WHEN g.insurance = 'medical' THEN r.employee_medical
      ELSE r.employee_pension OR r.in_school OR r.birth_date <= make_date(%(year)s - 61, 12, 31) END;

INSERT INTO floor.seasons_confirmation SELECT * FROM public.seasons_confirmation;

-- section: same
SELECT (SELECT count(*) FROM (
    (SELECT resident_id, insurance, unit_id, last_tier, missed_years FROM public.enrollment_registration
     WHERE plan_id = %(plan)s)
    EXCEPT
    (SELECT resident_id, insurance, unit_id, last_tier, missed_years FROM floor.enrollment_registration)) l)
  + abs((SELECT count(*) FROM public.enrollment_registration WHERE plan_id = %(plan)s)
        - (SELECT count(*) FROM floor.enrollment_registration))
