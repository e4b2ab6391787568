-- Floor of `import_category`: a list already read, checked and indexed comes in by COPY, finds its people by number and
-- becomes memberships.

-- section: tables
-- enrollment_membership

-- section: rows
SELECT r.number_index, m.category_id, m.grade, m.valid_from, m.valid_to, m.certified_by_id, m.certified_on, m.batch
FROM enrollment_membership m JOIN enrollment_resident r ON r.id = m.resident_id
ORDER BY m.id

-- section: staged
DROP TABLE IF EXISTS floor.staged;
CREATE UNLOGGED TABLE floor.staged (
    number_index bytea, category_id int, grade smallint, valid_from date, valid_to date, certified_by_id int,
    certified_on date, batch bigint
);

-- section: copy
COPY floor.staged FROM STDIN

-- section: work
INSERT INTO floor.enrollment_membership (township_id, unit_id, resident_id, category_id, grade, approved, valid_from,
    valid_to, certified_by_id, certified_on, batch, mark)
SELECT r.township_id, r.unit_id, r.id, s.category_id, s.grade, true, s.valid_from, s.valid_to, s.certified_by_id,
       s.certified_on, s.batch, 'listed'
FROM floor.staged s
JOIN public.enrollment_resident r ON r.number_index = s.number_index AND r.merged_into_id IS NULL;

-- section: same
SELECT abs((SELECT count(*) FROM floor.enrollment_membership) - (SELECT count(*) FROM public.enrollment_membership))
