-- Floor of `assess` for Tengzhou 2023 (medical alone, four patterns of payers): the plan written out by hand as CASE over
-- age and groups, for a day on time.

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
        CASE WHEN m.assistance THEN 1 WHEN m.children THEN 2
             WHEN r.birth_date <= make_date(%(year)s - 71, 12, 31) THEN 3 WHEN m.families THEN 4
             WHEN m.severe THEN 5 WHEN m.allowance THEN 6
             WHEN r.birth_date <= make_date(%(year)s - 61, 12, 31) THEN 7 ELSE 0 END AS waiver
    FROM enrollment_resident r
    LEFT JOIN (
        SELECT s.resident_id,
            bool_or(c.code IN ('tekun', 'tekun_urban', 'wubao', 'dibao', 'fanpin', 'dibao_edge', 'monitored'))
                AS assistance,
            bool_or(c.code IN ('orphan', 'defacto_unsupported_child', 'key_child_in_difficulty')) AS children,
            bool_or(c.code IN ('rural_one_daughter', 'rural_two_daughters', 'only_child_loss')) AS families,
            bool_or(c.code = 'disabled' AND s.grade IN (1, 2)) AS severe,
            bool_or(c.code = 'youfu_regular_allowance') AS allowance
        FROM enrollment_membership s JOIN enrollment_category c ON c.id = s.category_id
        WHERE s.valid_from <= %(on)s AND (s.valid_to IS NULL OR s.valid_to >= %(on)s)
        GROUP BY s.resident_id
    ) m ON m.resident_id = r.id
    WHERE r.merged_into_id IS NULL
) p
JOIN (VALUES (0, 0.00, ''), (1, 350.00, 'medical_assistance'), (2, 350.00, 'medical_children'),
    (3, 350.00, 'medical_age_70'), (4, 350.00, 'medical_families'), (5, 350.00, 'medical_severely_disabled'),
    (6, 350.00, 'medical_regular_allowance'), (7, 175.00, 'medical_age_60_69')) AS w (waiver, paid, code) USING (waiver);

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
SELECT c.id, p.payer, p.amount, c.waiver_code, c.township_id, c.unit_id
FROM floor.contributions_charge c
JOIN (VALUES ('medical_assistance', 'medical_assistance_fund', 350.00), ('medical_children', 'county_finance', 350.00),
    ('medical_age_70', 'county_finance', 350.00), ('medical_age_60_69', 'county_finance', 175.00),
    ('medical_families', 'county_finance', 175.00), ('medical_families', 'township_finance', 175.00),
    ('medical_severely_disabled', 'county_finance', 350.00), ('medical_regular_allowance', 'county_finance', 350.00)
) AS p (code, payer, amount) ON p.code = c.waiver_code;

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
