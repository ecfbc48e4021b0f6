-- Tenants from their making to their end, policies in versions, an audit that is asked and that ends, events for operators.

-- Where the tenant stands in its life. Calls are taken from ACTIVE ones alone.
ALTER TABLE tenants ADD COLUMN state TEXT NOT NULL DEFAULT 'ACTIVE'
    CHECK (state IN ('ACTIVE', 'SUSPENDED', 'TERMINATING', 'TERMINATED'));
-- The audit's entries up to this one are gone, past their window; 0: none is.
ALTER TABLE tenants ADD COLUMN audit_floor BIGINT NOT NULL DEFAULT 0;
-- That entry's hash, which the first that is left follows; NULL: zeros.
ALTER TABLE tenants ADD COLUMN audit_floor_hash BYTEA CHECK (length(audit_floor_hash) = 32);

-- Every policy that a tenant had.
CREATE TABLE policies (
    tenant     UUID   NOT NULL REFERENCES tenants (id),                  -- whose
    n          BIGINT NOT NULL CHECK (n >= 1),                           -- 1, 2, ... in the order in which they came into force
    version    TEXT   NOT NULL,                                          -- its own name, which receipts carry
    policy     TEXT   NOT NULL CHECK (policy::json IS NOT NULL),         -- biometrics::policy::Policy as JSON
    changed_by TEXT   NOT NULL,                                          -- who put it into force
    since_ms   BIGINT NOT NULL,                                          -- when
    PRIMARY KEY (tenant, n),
    UNIQUE (tenant, version)
);
-- The owner's own rows are none of a tenant's: it sees all of them for the length of the migration.
SELECT set_config('countersign.tenant', '*', true);
INSERT INTO policies (tenant, n, version, policy, changed_by, since_ms)
    SELECT id, 1, policy::json ->> 'version', policy, 'migration', created_at_ms FROM tenants;
ALTER TABLE policies ENABLE ROW LEVEL SECURITY;
ALTER TABLE policies FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON policies USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- What an entry is about, as its body says it; for queries.
ALTER TABLE audit ADD COLUMN user_id TEXT;
ALTER TABLE audit ADD COLUMN challenge TEXT;
ALTER TABLE audit DISABLE TRIGGER audit_is_never_edited;
UPDATE audit SET user_id = body::json ->> 'user_id', challenge = body::json ->> 'challenge';
ALTER TABLE audit ENABLE TRIGGER audit_is_never_edited;
CREATE INDEX audit_by_user ON audit (tenant, user_id, seq) WHERE user_id IS NOT NULL;
CREATE INDEX audit_by_challenge ON audit (tenant, challenge, seq) WHERE challenge IS NOT NULL;
CREATE INDEX audit_by_time ON audit (tenant, at_ms);
-- Only what lies under the floor goes, and nothing that is younger than 30 days. The serving role may delete nothing by itself;
-- it asks this function, which runs with the owner's rights and the caller's tenant.
CREATE FUNCTION audit_is_cut_at_its_floor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at_ms > floor(extract(epoch FROM clock_timestamp()) * 1000) - 2592000000
        OR OLD.seq > (SELECT audit_floor FROM tenants WHERE id = OLD.tenant) THEN
        RAISE EXCEPTION 'audit is append-only';
    END IF;
    RETURN OLD;
END
$$;
DROP TRIGGER audit_is_never_cut ON audit;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_cut_at_its_floor();
CREATE FUNCTION cut_audit(whose UUID, upto BIGINT) RETURNS VOID LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM audit WHERE tenant = whose AND seq <= upto;
END
$$;

-- Kinds of jobs are the program's to know.
ALTER TABLE jobs DROP CONSTRAINT IF EXISTS jobs_kind_check;
CREATE UNIQUE INDEX jobs_one_termination ON jobs (tenant) WHERE kind = 'TERMINATE_TENANT' AND state IN ('QUEUED', 'RUNNING');

-- Tenants that ended, as their certificates tell of it.
CREATE TABLE terminations (
    tenant         UUID   NOT NULL PRIMARY KEY REFERENCES tenants (id),  -- who
    id             UUID   NOT NULL UNIQUE,                               -- names the certificate
    job            UUID   NOT NULL REFERENCES jobs (id),                 -- which job ended it
    proofs         BIGINT NOT NULL CHECK (proofs >= 0),                  -- how many deletion proofs the certificate is over
    proofs_sha256  BYTEA  NOT NULL CHECK (length(proofs_sha256) = 32),   -- hash over their ids and commitments
    ended_at_ms    BIGINT NOT NULL                                       -- when the last key was gone
);
ALTER TABLE terminations ENABLE ROW LEVEL SECURITY;
ALTER TABLE terminations FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON terminations USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- What operators are told of, kept until it was delivered and a month at most.
CREATE TABLE events (
    id              UUID   NOT NULL PRIMARY KEY,                         -- the notification's webhook-id
    tenant          UUID   NOT NULL REFERENCES tenants (id),             -- whom it is about
    kind            TEXT   NOT NULL,                                     -- such as job.done
    body            TEXT   NOT NULL CHECK (body::json IS NOT NULL),      -- what is sent; no user, no action
    state           TEXT   NOT NULL CHECK (state IN ('WAITING', 'DELIVERED', 'DEAD')),
    tries           BIGINT NOT NULL CHECK (tries >= 0),                  -- how often it was sent
    next_try_ms     BIGINT NOT NULL,                                     -- not before then
    error           TEXT,                                                -- why the last try failed, NULL: it did not
    created_at_ms   BIGINT NOT NULL,
    delivered_at_ms BIGINT                                               -- NULL: not yet
);
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON events USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));
CREATE INDEX events_waiting ON events (next_try_ms) WHERE state = 'WAITING';
CREATE INDEX events_by_age ON events (created_at_ms);
