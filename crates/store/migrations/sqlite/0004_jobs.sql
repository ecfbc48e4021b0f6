-- Long-running work and what it leaves behind: rotation of KEKs, bulk deletion, expiry, legal holds.

-- The lowest KEK version that a row of the tenant may be stored under. Raised when a rotation found nothing under an older one.
ALTER TABLE tenants ADD COLUMN kek_floor INTEGER NOT NULL DEFAULT 0;

-- When the reference was last compared, to the day; NULL: not since it was made. Expiry counts from here.
ALTER TABLE sealed_references ADD COLUMN last_used_at_ms INTEGER;
-- An expiry asks who was away for longest.
CREATE INDEX sealed_references_by_use ON sealed_references (tenant, (COALESCE(last_used_at_ms, created_at_ms)));
-- A rotation asks what is still under an old KEK version.
CREATE INDEX sealed_references_by_kek ON sealed_references (tenant, kek_version);

-- Who does the work that only one process may do at a time.
CREATE TABLE leaders (
    task     TEXT    NOT NULL PRIMARY KEY,                             -- such as 'jobs'
    holder   BLOB    NOT NULL CHECK (length(holder) = 16),             -- made at random by each process
    until_ms INTEGER NOT NULL                                          -- anybody may take over from then on
) STRICT, WITHOUT ROWID;

-- One piece of long-running work of one tenant.
CREATE TABLE jobs (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- JobId
    tenant         BLOB    NOT NULL REFERENCES tenants (id),           -- whose
    kind           TEXT    NOT NULL CHECK (kind IN ('ROTATE_KEK', 'DELETE_REFERENCES', 'EXPIRE_REFERENCES')),
    state          TEXT    NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
    step           TEXT    NOT NULL,                                   -- where in its kind's order of steps it is
    resume_after   TEXT    NOT NULL,                                   -- last key done in this step, empty for none
    total          INTEGER NOT NULL CHECK (total >= 0),                -- items to do, counted when it began
    done           INTEGER NOT NULL CHECK (done >= 0),                 -- items done
    kek_from       INTEGER,                                            -- rotation: the newest version when it was asked for
    kek_to         INTEGER,                                            -- rotation: the version it made, NULL: not yet
    fenced_at_ms   INTEGER,                                            -- rotation: from then on nothing is read under an old version
    cause          TEXT,                                               -- deletion: the word in audit and proofs
    every_user     INTEGER NOT NULL CHECK (every_user IN (0, 1)),      -- deletion: 1 for everybody, 0 for those of job_users
    requested_by   TEXT    NOT NULL,                                   -- who asked
    error          TEXT,                                               -- reason code of the last failure, NULL: none since it went on
    created_at_ms  INTEGER NOT NULL,
    started_at_ms  INTEGER,                                            -- NULL: not yet
    finished_at_ms INTEGER                                             -- NULL: not yet
) STRICT;
CREATE UNIQUE INDEX jobs_one_rotation ON jobs (tenant) WHERE kind = 'ROTATE_KEK' AND state IN ('QUEUED', 'RUNNING');
CREATE INDEX jobs_open ON jobs (created_at_ms) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX jobs_by_tenant ON jobs (tenant, created_at_ms);

-- Users that a deletion was asked for by name.
CREATE TABLE job_users (
    job     BLOB    NOT NULL REFERENCES jobs (id),
    tenant  BLOB    NOT NULL,                                          -- the job's
    user_id TEXT    NOT NULL,
    PRIMARY KEY (job, user_id)
) STRICT, WITHOUT ROWID;

-- KEK versions that are gone.
CREATE TABLE kek_destructions (
    tenant          BLOB    NOT NULL REFERENCES tenants (id),          -- whose key it was
    kek_version     INTEGER NOT NULL,                                  -- which
    id              BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),   -- names the certificate
    job             BLOB    NOT NULL REFERENCES jobs (id),             -- the rotation that ended it
    successor       INTEGER NOT NULL,                                  -- the version that took its place
    provider        TEXT    NOT NULL,                                  -- the kind of key service that held it
    destroyed_at_ms INTEGER NOT NULL,                                  -- by the key service's word
    PRIMARY KEY (tenant, kek_version)
) STRICT, WITHOUT ROWID;

-- Deletions that a job did; NULL: asked for one by one.
ALTER TABLE deletions ADD COLUMN job BLOB;
CREATE INDEX deletions_by_job ON deletions (job, id) WHERE job IS NOT NULL;

-- Users whose data may not be erased for now.
CREATE TABLE legal_holds (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- HoldId
    tenant         BLOB    NOT NULL REFERENCES tenants (id),           -- whose user
    user_id        TEXT    NOT NULL,
    matter         TEXT    NOT NULL,                                   -- the legal matter, in the operator's words
    placed_by      TEXT    NOT NULL,
    placed_at_ms   INTEGER NOT NULL,
    notice_due_ms  INTEGER NOT NULL,                                   -- the tenant is told by then: five business days
    released_by    TEXT,
    released_at_ms INTEGER,                                            -- NULL: it holds
    CHECK ((released_by IS NULL) = (released_at_ms IS NULL))
) STRICT;
CREATE UNIQUE INDEX legal_holds_standing ON legal_holds (tenant, user_id, matter) WHERE released_at_ms IS NULL;

-- Deletions that a hold stands in the way of; done when the last hold of the user is released.
CREATE TABLE waiting_deletions (
    tenant      BLOB    NOT NULL REFERENCES tenants (id),
    user_id     TEXT    NOT NULL,
    cause       TEXT    NOT NULL,                                      -- of the first that asked
    job         BLOB,                                                  -- the job that asked, NULL: none
    asked_at_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_id)
) STRICT, WITHOUT ROWID;
