-- Tenants from their making to their end, policies in versions, an audit that is asked and that ends, events for operators.

-- Where the tenant stands in its life. Calls are taken from ACTIVE ones alone.
ALTER TABLE tenants ADD COLUMN state TEXT NOT NULL DEFAULT 'ACTIVE'
    CHECK (state IN ('ACTIVE', 'SUSPENDED', 'TERMINATING', 'TERMINATED'));
-- The audit's entries up to this one are gone, past their window; 0: none is.
ALTER TABLE tenants ADD COLUMN audit_floor INTEGER NOT NULL DEFAULT 0;
-- That entry's hash, which the first that is left follows; NULL: zeros.
ALTER TABLE tenants ADD COLUMN audit_floor_hash BLOB CHECK (length(audit_floor_hash) = 32);

-- Every policy that a tenant had.
CREATE TABLE policies (
    tenant     BLOB    NOT NULL REFERENCES tenants (id),               -- whose
    n          INTEGER NOT NULL CHECK (n >= 1),                        -- 1, 2, ... in the order in which they came into force
    version    TEXT    NOT NULL,                                       -- its own name, which receipts carry
    policy     TEXT    NOT NULL CHECK (json_valid(policy)),            -- biometrics::policy::Policy as JSON
    changed_by TEXT    NOT NULL,                                       -- who put it into force
    since_ms   INTEGER NOT NULL,                                       -- when
    PRIMARY KEY (tenant, n),
    UNIQUE (tenant, version)
) STRICT, WITHOUT ROWID;
INSERT INTO policies (tenant, n, version, policy, changed_by, since_ms)
    SELECT id, 1, json_extract(policy, '$.version'), policy, 'migration', created_at_ms FROM tenants;

-- What an entry is about, as its body says it; for queries.
ALTER TABLE audit ADD COLUMN user_id TEXT;
ALTER TABLE audit ADD COLUMN challenge TEXT;
DROP TRIGGER audit_is_never_edited;
UPDATE audit SET user_id = json_extract(body, '$.user_id'), challenge = json_extract(body, '$.challenge');
CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;
CREATE INDEX audit_by_user ON audit (tenant, user_id, seq) WHERE user_id IS NOT NULL;
CREATE INDEX audit_by_challenge ON audit (tenant, challenge, seq) WHERE challenge IS NOT NULL;
CREATE INDEX audit_by_time ON audit (tenant, at_ms);
-- Only what lies under the floor goes, and nothing that is younger than 30 days.
DROP TRIGGER audit_is_never_cut;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
    WHEN OLD.at_ms > unixepoch() * 1000 - 2592000000
        OR OLD.seq > (SELECT audit_floor FROM tenants WHERE id = OLD.tenant) BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;

-- Kinds of jobs are the program's to know: the table is made anew without their list.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE jobs_before AS SELECT * FROM jobs;
DROP TABLE jobs;
CREATE TABLE jobs (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- JobId
    tenant         BLOB    NOT NULL REFERENCES tenants (id),           -- whose
    kind           TEXT    NOT NULL,                                   -- such as ROTATE_KEK
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
INSERT INTO jobs SELECT * FROM jobs_before;
DROP TABLE jobs_before;
CREATE UNIQUE INDEX jobs_one_rotation ON jobs (tenant) WHERE kind = 'ROTATE_KEK' AND state IN ('QUEUED', 'RUNNING');
CREATE UNIQUE INDEX jobs_one_termination ON jobs (tenant) WHERE kind = 'TERMINATE_TENANT' AND state IN ('QUEUED', 'RUNNING');
CREATE INDEX jobs_open ON jobs (created_at_ms) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX jobs_by_tenant ON jobs (tenant, created_at_ms);

-- Tenants that ended, as their certificates tell of it.
CREATE TABLE terminations (
    tenant         BLOB    NOT NULL PRIMARY KEY REFERENCES tenants (id), -- who
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),    -- names the certificate
    job            BLOB    NOT NULL REFERENCES jobs (id),              -- which job ended it
    proofs         INTEGER NOT NULL CHECK (proofs >= 0),               -- how many deletion proofs the certificate is over
    proofs_sha256  BLOB    NOT NULL CHECK (length(proofs_sha256) = 32), -- hash over their ids and commitments
    ended_at_ms    INTEGER NOT NULL                                    -- when the last key was gone
) STRICT, WITHOUT ROWID;

-- What operators are told of, kept until it was delivered and a month at most.
CREATE TABLE events (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- the notification's webhook-id
    tenant          BLOB    NOT NULL REFERENCES tenants (id),          -- whom it is about
    kind            TEXT    NOT NULL,                                  -- such as job.done
    body            TEXT    NOT NULL CHECK (json_valid(body)),         -- what is sent; no user, no action
    state           TEXT    NOT NULL CHECK (state IN ('WAITING', 'DELIVERED', 'DEAD')),
    tries           INTEGER NOT NULL CHECK (tries >= 0),               -- how often it was sent
    next_try_ms     INTEGER NOT NULL,                                  -- not before then
    error           TEXT,                                              -- why the last try failed, NULL: it did not
    created_at_ms   INTEGER NOT NULL,
    delivered_at_ms INTEGER                                            -- NULL: not yet
) STRICT, WITHOUT ROWID;
CREATE INDEX events_waiting ON events (next_try_ms) WHERE state = 'WAITING';
CREATE INDEX events_by_age ON events (created_at_ms);
