-- Status lists shared by all tenants, and the transparency log.

-- Lists out of which receipts get their indexes. Two receipts never share one. Whoever serves a tenant takes from them.
CREATE TABLE status_lists (
    list      BIGINT NOT NULL PRIMARY KEY CHECK (list >= 1),             -- as in its address
    key_check BYTEA  NOT NULL CHECK (length(key_check) = 16),            -- tells under which key its indexes are ordered, not the key
    next      BIGINT NOT NULL CHECK (next BETWEEN 0 AND 1048576)         -- counters from here on are not given out
);
ALTER TABLE status_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE status_lists FORCE ROW LEVEL SECURITY;
CREATE POLICY of_everybody ON status_lists USING (current_setting('countersign.tenant', true) <> '');

-- The run of counters that a tenant gives out by itself, so that tenants do not wait for one another at every attempt.
ALTER TABLE tenants ADD COLUMN status_list BIGINT;                       -- of which list, NULL: none yet
ALTER TABLE tenants ADD COLUMN status_key BYTEA;                         -- key_check of that list
ALTER TABLE tenants ADD COLUMN status_next BIGINT NOT NULL DEFAULT 0;    -- the next counter
ALTER TABLE tenants ADD COLUMN status_end BIGINT NOT NULL DEFAULT 0;     -- where the run ends
ALTER TABLE tenants DROP COLUMN next_status;
-- How far the tenant's audit chain is in the log.
ALTER TABLE tenants ADD COLUMN audit_logged BIGINT NOT NULL DEFAULT 0;

-- NULL: from before there were lists; its receipt names none.
ALTER TABLE live_receipts ADD COLUMN status_list BIGINT;
ALTER TABLE live_receipts DROP CONSTRAINT live_receipts_tenant_status_index_key;
ALTER TABLE live_receipts ADD CONSTRAINT live_receipts_own_index UNIQUE (status_list, status_index);
CREATE INDEX live_receipts_revoked ON live_receipts (status_list, status_index) WHERE status = 'INVALID';

-- Entries that wait for their place in the log.
CREATE TABLE log_queue (
    entry  BYTEA  NOT NULL PRIMARY KEY CHECK (length(entry) = 32),       -- as the log will hold it: a hash under a salt
    tenant UUID,                                                         -- whose, NULL: the deployment's own
    at_ms  BIGINT NOT NULL                                               -- when; the oldest goes first
);
CREATE INDEX log_queue_by_age ON log_queue (at_ms, entry);
ALTER TABLE log_queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_queue FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON log_queue USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- What an entry is about, and the salt without which it tells nothing. Left out of every backup. Destroyed rows are erased
-- for good; the log stands.
CREATE TABLE log_salts (
    entry   BYTEA  NOT NULL PRIMARY KEY CHECK (length(entry) = 32),
    tenant  UUID   REFERENCES tenants (id),                              -- whose, NULL: the deployment's own
    user_id TEXT,                                                        -- of whom, NULL: of no user
    subject TEXT   NOT NULL,                                             -- by which it is looked up: rc_…, dl_…, or a kind
    body    TEXT   NOT NULL CHECK (body::json IS NOT NULL),              -- canonical JSON
    salt    BYTEA  NOT NULL CHECK (length(salt) = 32),                   -- random
    place   BIGINT,                                                      -- in the log, from 0; NULL: not yet
    CHECK (user_id IS NULL OR tenant IS NOT NULL)
);
CREATE INDEX log_salts_by_subject ON log_salts (subject, place);
CREATE INDEX log_salts_by_user ON log_salts (tenant, user_id);
ALTER TABLE log_salts ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_salts FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON log_salts USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- The log itself (C2SP tlog-tiles): of every tile the widest that there is; narrower ones are its beginning.
CREATE TABLE log_tiles (
    level BIGINT NOT NULL CHECK (level BETWEEN -1 AND 5),                -- of the tree, -1: bundles of entries
    tile  BIGINT NOT NULL CHECK (tile >= 0),                             -- which of its level, from 0
    width BIGINT NOT NULL CHECK (width BETWEEN 1 AND 256),               -- hashes or entries in it
    bytes BYTEA  NOT NULL,
    PRIMARY KEY (level, tile)
);
ALTER TABLE log_tiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_tiles FORCE ROW LEVEL SECURITY;
CREATE POLICY of_all ON log_tiles USING (current_setting('countersign.tenant', true) = '*');

-- Size and root, and the checkpoint that the ledger signed for them. One row; none before the first entry.
CREATE TABLE log_head (
    one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    size BIGINT NOT NULL CHECK (size >= 1),
    root BYTEA  NOT NULL CHECK (length(root) = 32),
    note TEXT   NOT NULL                                                 -- the signed checkpoint (C2SP tlog-checkpoint)
);
ALTER TABLE log_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_head FORCE ROW LEVEL SECURITY;
CREATE POLICY of_all ON log_head USING (current_setting('countersign.tenant', true) = '*');

-- What the log last said of things that change outside of the database: keys, models.
CREATE TABLE log_seen (
    what  TEXT NOT NULL PRIMARY KEY,                                     -- such as 'models'
    value TEXT NOT NULL
);
ALTER TABLE log_seen ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_seen FORCE ROW LEVEL SECURITY;
CREATE POLICY of_all ON log_seen USING (current_setting('countersign.tenant', true) = '*');
