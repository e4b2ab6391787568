-- Floor of `rosters`: one line a person and unit from charges, numbered in the order of the round; no hash, no reasons.

-- section: tables
-- rosters_roster rosters_rosterline

-- section: work
INSERT INTO floor.rosters_roster (kind, version, number, as_of, digest, line_count, household_count, totals, plan_id,
    township_id, unit_id)
SELECT 'levy', 1, 'F-' || c.unit_id, %(on)s, repeat('0', 64), count(DISTINCT c.resident_id),
    count(DISTINCT c.household_id), jsonb_build_object('personal', sum(c.personal_amount)::text), %(plan)s,
    min(c.township_id), c.unit_id
FROM contributions_charge c
WHERE c.plan_id = %(plan)s AND c.current AND c.decision IN ('accept', 'hold', 'amount_not_configured')
GROUP BY c.unit_id;

INSERT INTO floor.rosters_rosterline (roster_id, township_id, unit_id, position, resident_id, household_number, head_name,
    name, relation, number_index, number_encrypted, phone_encrypted, group_name, house_number, categories, age, last_tier,
    tier, pension_personal, medical_personal, government_paid, personal, paid, means, medical_voucher, pension_voucher,
    is_new, note)
SELECT o.id, o.township_id, o.unit_id, row_number() OVER (PARTITION BY o.unit_id ORDER BY h.group_name COLLATE "C",
        h.number COLLATE "C", r.is_head DESC, r.birth_date, r.name COLLATE "C"),
    r.id, coalesce(h.number, ''), coalesce(h.head_name, ''), r.name, r.relation, r.number_index, r.number_encrypted,
    r.phone_encrypted, coalesce(h.group_name, ''), coalesce(h.house_number, ''), coalesce(m.categories, ''), p.age,
    p.last_tier, p.tier, p.pension_personal, p.medical_personal, p.government_paid, p.personal, 0, '', '', '', p.is_new, ''
FROM (
    SELECT c.resident_id, c.unit_id, max(c.household_id) AS household_id, max(c.age) AS age,
        max(g.last_tier) AS last_tier, max(c.tier) AS tier, bool_or(g.is_new) AS is_new,
        sum(c.personal_amount) FILTER (WHERE c.insurance = 'pension') AS pension_personal,
        sum(c.personal_amount) FILTER (WHERE c.insurance = 'medical') AS medical_personal,
        sum(c.government_paid_amount) AS government_paid, sum(c.personal_amount) AS personal
    FROM contributions_charge c
    JOIN enrollment_registration g ON g.id = c.registration_id
    WHERE c.plan_id = %(plan)s AND c.current AND c.decision IN ('accept', 'hold', 'amount_not_configured')
    GROUP BY c.resident_id, c.unit_id
) p
JOIN floor.rosters_roster o ON o.unit_id = p.unit_id
JOIN enrollment_resident r ON r.id = p.resident_id
LEFT JOIN enrollment_household h ON h.id = p.household_id
LEFT JOIN (
    SELECT s.resident_id, left(string_agg(k.name || coalesce(s.grade || '级', ''), '、' ORDER BY k.position), 120)
        AS categories
    FROM enrollment_membership s JOIN enrollment_category k ON k.id = s.category_id
    WHERE s.approved AND s.valid_from <= %(on)s AND (s.valid_to IS NULL OR s.valid_to >= %(on)s)
    GROUP BY s.resident_id
) m ON m.resident_id = p.resident_id;

-- section: same
SELECT (SELECT count(*) FROM (
    (SELECT unit_id, resident_id, name, categories, tier, pension_personal, medical_personal, government_paid, personal
     FROM public.rosters_rosterline)
    EXCEPT
    (SELECT unit_id, resident_id, name, categories, tier, pension_personal, medical_personal, government_paid, personal
     FROM floor.rosters_rosterline)) l)
  + abs((SELECT count(*) FROM public.rosters_rosterline) - (SELECT count(*) FROM floor.rosters_rosterline))
  + abs((SELECT count(*) FROM public.rosters_roster) - (SELECT count(*) FROM floor.rosters_roster))
