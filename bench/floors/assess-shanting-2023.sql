-- Floor of `assess` for Shanting 2023: the plan written out by hand as CASE over age and groups, for a day on time.

-- section: tables
-- contributions_assessment contributions_charge contributions_chargeshare

-- section: work
INSERT INTO floor.contributions_assessment (resident_id, plan_id, plan_version, insurance, coverage_year, township_id, unit_id, age,
    priced_on, decision, reason, timing, personal_amount, government_paid_amount, fiscal_subsidy_amount,
    pension_government_subsidy, family_planning_subsidy, total_amount, standard_code, waiver_code, subsidy_code,
    family_code, decision_code, benefit_start, benefit_end, warnings)
SELECT p.id, %(plan)s, 1, 'medical', %(year)s, p.township_id, p.unit_id, p.age, %(on)s,
    CASE WHEN p.against <> '' THEN 'refuse' ELSE 'accept' END, p.against, 'on_time',
    CASE WHEN p.against <> '' THEN 0 ELSE 350 - w.paid END, CASE WHEN p.against <> '' THEN 0 ELSE w.paid END,
    CASE WHEN p.against <> '' THEN 0 ELSE 610 END, 0, 0, CASE WHEN p.against <> '' THEN 0 ELSE 960 END,
    CASE WHEN p.against <> '' THEN '' ELSE 'medical_standard' END, CASE WHEN p.against <> '' THEN '' ELSE w.code END,
    CASE WHEN p.against <> '' THEN '' ELSE 'medical_standard' END, '',
    CASE WHEN p.against <> '' THEN 'exclude_' || p.against ELSE 'medical_collection' END,
    CASE WHEN p.against = '' THEN make_date(%(year)s, 1, 1) END,
    CASE WHEN p.against = '' THEN make_date(%(year)s, 12, 31) END, '{}'
FROM (
    SELECT r.id, r.township_id, r.unit_id,
        extract(year FROM age(make_date(%(year)s - 1, 12, 31), r.birth_date))::smallint AS age,
        CASE WHEN r.death_date <= %(on)s THEN 'deceased' WHEN r.employee_medical THEN 'employee_medical' ELSE ''
        END AS against,
        CASE WHEN m.full_groups THEN 1 WHEN r.birth_date <= make_date(%(year)s - 71, 12, 31) THEN 2
             WHEN r.birth_date <= make_date(%(year)s - 61, 12, 31) THEN 3 ELSE 0 END AS waiver
    FROM enrollment_resident r
    LEFT JOIN (
        SELECT s.resident_id, bool_or(c.code IN ('tekun', 'tekun_urban', 'wubao', 'dibao', 'fanpin', 'dibao_edge',
            'monitored')) AS full_groups
        FROM enrollment_membership s JOIN enrollment_category c ON c.id = s.category_id
        WHERE s.valid_from <= %(on)s AND (s.valid_to IS NULL OR s.valid_to >= %(on)s)
        GROUP BY s.resident_id
    ) m ON m.resident_id = r.id
    WHERE r.merged_into_id IS NULL
) p
JOIN (VALUES (0, 0.00, ''), (1, 350.00, 'medical_full_groups'), (2, 350.00, 'medical_age_70'),
    (3, 175.00, 'medical_age_60_69')) AS w (waiver, paid, code) USING (waiver);

INSERT INTO floor.contributions_assessment (resident_id, plan_id, plan_version, insurance, coverage_year, township_id, unit_id, age,
    priced_on, decision, reason, timing, personal_amount, government_paid_amount, fiscal_subsidy_amount,
    pension_government_subsidy, family_planning_subsidy, total_amount, standard_code, waiver_code, subsidy_code,
    family_code, decision_code, benefit_start, benefit_end, warnings)
SELECT p.id, %(plan)s, 1, 'pension', %(year)s, p.township_id, p.unit_id, p.age, %(on)s, d.decision, p.against, 'on_time',
    CASE WHEN p.against <> '' THEN 0 WHEN p.severe THEN p.tier - 100 ELSE p.tier END,
    CASE WHEN p.against = '' AND p.severe THEN 100 ELSE 0 END, 0,
    CASE WHEN p.against <> '' THEN 0 WHEN p.tier <= 300 THEN 30 WHEN p.tier <= 600 THEN 60 ELSE 80 END, 0,
    CASE WHEN p.against <> '' THEN 0 ELSE p.tier END, CASE WHEN p.against <> '' THEN '' ELSE 'pension_tiers' END,
    CASE WHEN p.against = '' AND p.severe THEN 'pension_severely_disabled' ELSE '' END,
    CASE WHEN p.against <> '' THEN '' WHEN p.tier <= 300 THEN 'pension_subsidy_30' WHEN p.tier <= 600
        THEN 'pension_subsidy_60' ELSE 'pension_subsidy_80' END, '', d.code, NULL, NULL, '{}'
FROM (
    SELECT r.id, r.township_id, r.unit_id, g.tier, coalesce(m.severe, false) AS severe,
        extract(year FROM age(make_date(%(year)s - 1, 12, 31), r.birth_date))::smallint AS age,
        CASE WHEN r.death_date <= %(on)s THEN 'deceased' WHEN r.employee_pension THEN 'employee_pension'
             WHEN r.in_school THEN 'in_school'
             WHEN r.birth_date > (%(on)s::date - interval '16 years')::date THEN 'under_16'
             WHEN r.birth_date <= make_date(%(year)s - 61, 12, 31) THEN 'age_60_or_more'
             WHEN g.tier = 100 AND m.tier_100 IS NOT TRUE THEN 'tier_100_not_allowed'
             WHEN g.tier IS NULL THEN 'tier_not_chosen' ELSE '' END AS against
    FROM enrollment_resident r
    LEFT JOIN enrollment_registration g
        ON g.resident_id = r.id AND g.insurance = 'pension' AND g.coverage_year = %(year)s
    LEFT JOIN (
        SELECT s.resident_id,
            bool_or(c.code IN ('disabled', 'wubao', 'tekun', 'dibao', 'youfu', 'youfu_regular_allowance', 'fupin'))
                AS tier_100,
            bool_or(c.code = 'disabled' AND s.grade IN (1, 2)) AS severe
        FROM enrollment_membership s JOIN enrollment_category c ON c.id = s.category_id
        WHERE s.valid_from <= %(on)s AND (s.valid_to IS NULL OR s.valid_to >= %(on)s)
        GROUP BY s.resident_id
    ) m ON m.resident_id = r.id
    WHERE r.merged_into_id IS NULL
) p
JOIN (VALUES ('', 'accept', 'pension_collection'), ('deceased', 'refuse', 'exclude_deceased'),
    ('employee_pension', 'refuse', 'exclude_employee_pension'), ('in_school', 'refuse', 'exclude_in_school'),
    ('under_16', 'refuse', 'exclude_under_16'), ('age_60_or_more', 'refer', 'exclude_60_or_more'),
    ('tier_100_not_allowed', 'refuse', 'pension_tier_100'), ('tier_not_chosen', 'hold', 'pension_tiers')
) AS d (against, decision, code) USING (against);

INSERT INTO floor.contributions_charge (registration_id, resident_id, household_id, plan_id, plan_version, insurance, coverage_year,
    for_year, kind, version, current, township_id, unit_id, tier, age, priced_on, decision, reason, timing,
    personal_amount, government_paid_amount, fiscal_subsidy_amount, pension_government_subsidy, family_planning_subsidy,
    total_amount, standard_code, waiver_code, subsidy_code, family_code, decision_code, benefit_start, benefit_end, warnings)
SELECT g.id, a.resident_id, r.household_id, a.plan_id, a.plan_version, a.insurance, a.coverage_year, a.coverage_year, 'ordinary', 1, true,
    g.township_id, g.unit_id, g.tier, a.age, a.priced_on, a.decision, a.reason, a.timing, a.personal_amount,
    a.government_paid_amount, a.fiscal_subsidy_amount, a.pension_government_subsidy, a.family_planning_subsidy,
    a.total_amount, a.standard_code, a.waiver_code, a.subsidy_code, a.family_code, a.decision_code, a.benefit_start,
    a.benefit_end, a.warnings
FROM floor.contributions_assessment a
JOIN enrollment_registration g ON g.resident_id = a.resident_id AND g.insurance = a.insurance
    AND g.coverage_year = a.coverage_year
JOIN enrollment_resident r ON r.id = a.resident_id
WHERE a.decision = 'accept';

INSERT INTO floor.contributions_chargeshare (charge_id, payer, amount, rule, township_id, unit_id)
SELECT c.id, CASE c.insurance WHEN 'medical' THEN 'government_or_department' ELSE 'government' END,
    c.government_paid_amount, c.waiver_code, c.township_id, c.unit_id
FROM floor.contributions_charge c WHERE c.government_paid_amount > 0;

-- section: same
SELECT (SELECT count(*) FROM (
    (SELECT resident_id, insurance, decision, reason, timing, age, personal_amount, government_paid_amount,
        fiscal_subsidy_amount, pension_government_subsidy, total_amount, standard_code, waiver_code, subsidy_code,
        decision_code, benefit_start, benefit_end FROM public.contributions_assessment)
    EXCEPT
    (SELECT resident_id, insurance, decision, reason, timing, age, personal_amount, government_paid_amount,
        fiscal_subsidy_amount, pension_government_subsidy, total_amount, standard_code, waiver_code, subsidy_code,
        decision_code, benefit_start, benefit_end FROM floor.contributions_assessment)) a)
  + (SELECT count(*) FROM (
    (SELECT registration_id, tier, household_id, personal_amount, government_paid_amount, fiscal_subsidy_amount
     FROM public.contributions_charge)
    EXCEPT
    (SELECT registration_id, tier, household_id, personal_amount, government_paid_amount, fiscal_subsidy_amount
     FROM floor.contributions_charge)) c)
  + abs((SELECT count(*) FROM public.contributions_charge) - (SELECT count(*) FROM floor.contributions_charge))
  + abs((SELECT count(*) FROM public.contributions_chargeshare) - (SELECT count(*) FROM floor.contributions_chargeshare))
