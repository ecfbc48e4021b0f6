-- A journal of deletions outside of the database, and the renewal of references.

-- The deletion journal lies outside of the database and its backups. What a database knows of it tells whether it is older.

-- 1: the deletion is in the journal. What was erased before there was one is written there as soon as one is named.
ALTER TABLE deletions ADD COLUMN journaled INTEGER NOT NULL DEFAULT 0 CHECK (journaled IN (0, 1));
CREATE INDEX deletions_to_journal ON deletions (deleted_at_ms, id) WHERE journaled = 0;
-- Whether a database that comes back knows of a deletion.
CREATE INDEX deletions_by_reference ON deletions (reference);

-- The last entry of the journal that this database is known to be as new as. One row; none before the first.
CREATE TABLE journal_head (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL CHECK (position >= 1),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)                -- of that entry: another journal does not fit
) STRICT;

-- A renewal gives the tenant a new key of the feature transform: the one above, in `transform_key`. Until every reference is laid
-- out anew the former one is kept, wrapped by the same KEK version.
ALTER TABLE tenants ADD COLUMN transform_generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tenants ADD COLUMN former_transform_key BLOB;
-- Of which generation the key is that the reference was laid out with.
ALTER TABLE sealed_references ADD COLUMN transform_generation INTEGER NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX jobs_one_renewal ON jobs (tenant) WHERE kind = 'RENEW_REFERENCES' AND state IN ('QUEUED', 'RUNNING');
