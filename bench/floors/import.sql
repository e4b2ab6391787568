-- Floor of `import`: rows already read, checked, normalised, indexed and encrypted come in by COPY and are spread over
-- the three tables of the register.

-- section: tables
-- enrollment_household enrollment_resident enrollment_registration

-- section: rows
SELECT g.id AS place, r.id AS person, h.number AS household, r.county_id, g.township_id, g.unit_id, g.village_id, r.name,
       r.initials, r.nickname, r.relation, r.is_head, r.id_kind, r.number_encrypted, r.number_index, r.tail_index,
       r.birth_date, r.sex, r.registration_area, r.residence_permit, r.phone_encrypted, r.phone_tail, r.address,
       h.group_name, h.house_number, h.head_name, h.walk, g.insurance, g.tier, g.is_new
FROM enrollment_registration g
JOIN enrollment_resident r ON r.id = g.resident_id
LEFT JOIN enrollment_household h ON h.id = r.household_id
WHERE g.plan_id = %(plan)s
ORDER BY g.id

-- section: staged
DROP TABLE IF EXISTS floor.staged;
CREATE UNLOGGED TABLE floor.staged (
    place bigint, person bigint, household varchar(40), county_id int, township_id int, unit_id int, village_id int,
    name varchar(60), initials varchar(20), nickname varchar(20), relation varchar(20), is_head boolean,
    id_kind varchar(20), number_encrypted bytea, number_index bytea, tail_index bytea, birth_date date, sex varchar(6),
    registration_area varchar(24), residence_permit varchar(6), phone_encrypted bytea, phone_tail varchar(4),
    address varchar(120), group_name varchar(20), house_number varchar(20), head_name varchar(60), walk int,
    insurance varchar(8), tier numeric(12, 2), is_new boolean
);

-- section: copy
COPY floor.staged FROM STDIN

-- section: work
INSERT INTO floor.enrollment_household (township_id, unit_id, village_id, number, group_name, house_number, head_name, walk)
SELECT DISTINCT ON (unit_id, household) township_id, unit_id, village_id, household, group_name, house_number, head_name,
       walk
FROM floor.staged WHERE household IS NOT NULL
ORDER BY unit_id, household, place;

CREATE TEMPORARY TABLE people ON COMMIT DROP AS
SELECT person, place, nextval(ids) AS id
FROM (SELECT person, min(place) AS place FROM floor.staged GROUP BY person) p,
     (SELECT pg_get_serial_sequence('floor.enrollment_resident', 'id')::regclass AS ids) q;

INSERT INTO floor.enrollment_resident (id, county_id, township_id, unit_id, village_id, household_id, name, initials,
    nickname, relation, is_head, id_kind, number_encrypted, number_index, tail_index, birth_date, sex, registration_area,
    residence_permit, in_school, school, employee_pension, employee_medical, other_enrolment, phone_encrypted, phone_tail,
    address)
SELECT p.id, s.county_id, s.township_id, s.unit_id, s.village_id, h.id, s.name, s.initials, s.nickname, s.relation,
       s.is_head, s.id_kind, s.number_encrypted, s.number_index, s.tail_index, s.birth_date, s.sex, s.registration_area,
       s.residence_permit, false, '', false, false, '', s.phone_encrypted, s.phone_tail, s.address
FROM people p
JOIN floor.staged s ON s.place = p.place
LEFT JOIN floor.enrollment_household h ON h.unit_id = s.unit_id AND h.number = s.household;

INSERT INTO floor.enrollment_registration (township_id, unit_id, village_id, resident_id, plan_id, insurance,
    coverage_year, tier, is_new, missed_years, repaired_years, closing_reason)
SELECT s.township_id, s.unit_id, s.village_id, p.id, %(plan)s, s.insurance, %(year)s, s.tier, s.is_new, 0, 0, ''
FROM floor.staged s JOIN people p ON p.person = s.person;

-- section: same
SELECT abs((SELECT count(*) FROM floor.enrollment_household) - (SELECT count(*) FROM public.enrollment_household))
     + abs((SELECT count(*) FROM floor.enrollment_resident) - (SELECT count(*) FROM public.enrollment_resident))
     + abs((SELECT count(*) FROM floor.enrollment_registration) - (SELECT count(*) FROM public.enrollment_registration))
