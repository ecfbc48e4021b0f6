-- Status lists shared by all tenants, and the transparency log.

-- Lists out of which receipts get their indexes. Two receipts never share one.
CREATE TABLE status_lists (
    list      INTEGER NOT NULL PRIMARY KEY CHECK (list >= 1),          -- as in its address
    key_check BLOB    NOT NULL CHECK (length(key_check) = 16),         -- tells under which key its indexes are ordered, not the key
    next      INTEGER NOT NULL CHECK (next BETWEEN 0 AND 1048576)      -- counters from here on are not given out
) STRICT;

-- The run of counters that a tenant gives out by itself, so that tenants do not wait for one another at every attempt.
ALTER TABLE tenants ADD COLUMN status_list INTEGER;                    -- of which list, NULL: none yet
ALTER TABLE tenants ADD COLUMN status_key BLOB;                        -- key_check of that list
ALTER TABLE tenants ADD COLUMN status_next INTEGER NOT NULL DEFAULT 0; -- the next counter
ALTER TABLE tenants ADD COLUMN status_end INTEGER NOT NULL DEFAULT 0;  -- where the run ends
ALTER TABLE tenants DROP COLUMN next_status;
-- How far the tenant's audit chain is in the log.
ALTER TABLE tenants ADD COLUMN audit_logged INTEGER NOT NULL DEFAULT 0;

-- As before, with the list beside the index.
CREATE TABLE live_receipts_in_lists (
    jti           BLOB    NOT NULL PRIMARY KEY CHECK (length(jti) = 16), -- Jti
    tenant        BLOB    NOT NULL REFERENCES tenants (id),
    user_id       TEXT    NOT NULL,                                    -- whose receipts end with an erasure
    status_list   INTEGER,                                             -- NULL: from before there were lists; its receipt names none
    status_index  INTEGER NOT NULL,                                    -- position in the list
    status        TEXT    NOT NULL CHECK (status IN ('RESERVED', 'VALID', 'INVALID')),
    pseudonym     TEXT,                                                -- the receipt's `sub`, NULL until decided
    expires_at_ms INTEGER NOT NULL,                                    -- use window; dropped an hour later
    UNIQUE (status_list, status_index)
) STRICT, WITHOUT ROWID;
INSERT INTO live_receipts_in_lists (jti, tenant, user_id, status_list, status_index, status, pseudonym, expires_at_ms)
    SELECT jti, tenant, user_id, NULL, status_index, status, pseudonym, expires_at_ms FROM live_receipts;
DROP TABLE live_receipts;
ALTER TABLE live_receipts_in_lists RENAME TO live_receipts;
CREATE INDEX live_receipts_by_user ON live_receipts (tenant, user_id);
CREATE INDEX live_receipts_by_expiry ON live_receipts (expires_at_ms);
CREATE INDEX live_receipts_revoked ON live_receipts (status_list, status_index) WHERE status = 'INVALID';

-- Entries that wait for their place in the log.
CREATE TABLE log_queue (
    entry  BLOB    NOT NULL PRIMARY KEY CHECK (length(entry) = 32),    -- as the log will hold it: a hash under a salt
    tenant BLOB,                                                       -- whose, NULL: the deployment's own
    at_ms  INTEGER NOT NULL                                            -- when; the oldest goes first
) STRICT, WITHOUT ROWID;
CREATE INDEX log_queue_by_age ON log_queue (at_ms, entry);

-- What an entry is about, and the salt without which it tells nothing. Left out of every backup. Destroyed rows are erased
-- for good; the log stands.
CREATE TABLE log_salts (
    entry   BLOB    NOT NULL PRIMARY KEY CHECK (length(entry) = 32),
    tenant  BLOB    REFERENCES tenants (id),                           -- whose, NULL: the deployment's own
    user_id TEXT,                                                      -- of whom, NULL: of no user
    subject TEXT    NOT NULL,                                          -- by which it is looked up: rc_…, dl_…, or a kind
    body    TEXT    NOT NULL CHECK (json_valid(body)),                 -- canonical JSON
    salt    BLOB    NOT NULL CHECK (length(salt) = 32),                -- random
    place   INTEGER,                                                   -- in the log, from 0; NULL: not yet
    CHECK (user_id IS NULL OR tenant IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_salts_by_subject ON log_salts (subject, place);
CREATE INDEX log_salts_by_user ON log_salts (tenant, user_id);

-- The log itself (C2SP tlog-tiles): of every tile the widest that there is; narrower ones are its beginning.
CREATE TABLE log_tiles (
    level INTEGER NOT NULL CHECK (level BETWEEN -1 AND 5),             -- of the tree, -1: bundles of entries
    tile  INTEGER NOT NULL CHECK (tile >= 0),                          -- which of its level, from 0
    width INTEGER NOT NULL CHECK (width BETWEEN 1 AND 256),            -- hashes or entries in it
    bytes BLOB    NOT NULL,
    PRIMARY KEY (level, tile)
) STRICT;

-- Size and root, and the checkpoint that the ledger signed for them. One row; none before the first entry.
CREATE TABLE log_head (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL CHECK (size >= 1),
    root BLOB    NOT NULL CHECK (length(root) = 32),
    note TEXT    NOT NULL                                              -- the signed checkpoint (C2SP tlog-checkpoint)
) STRICT;

-- What the log last said of things that change outside of the database: keys, models.
CREATE TABLE log_seen (
    what  TEXT NOT NULL PRIMARY KEY,                                   -- such as 'models'
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
