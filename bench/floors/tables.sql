-- Where floors are laid: copies of the portal's tables in a schema of their own.

-- section: schema
DROP SCHEMA IF EXISTS floor CASCADE;
CREATE SCHEMA floor;

-- section: foreign_keys
-- What LIKE … INCLUDING ALL leaves out. Table names come without a schema, so that the search path decides.
SELECT t.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k
JOIN pg_class t ON t.oid = k.conrelid
WHERE k.contype = 'f' AND t.relnamespace = 'public'::regnamespace AND t.relname = ANY (%(tables)s)
ORDER BY t.relname, k.conname;
