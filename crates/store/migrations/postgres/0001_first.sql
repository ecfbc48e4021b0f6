-- Countersign on Postgres, first schema: the same tables as on SQLite. Never edited once landed: a change is a new file.
-- Every *_ms column is Unix time in milliseconds by the database's own clock; every hash is 32 bytes; a boolean is 0 or 1;
-- JSON is text. Nothing here opens a reference: wrapped keys and ciphertext only, no KEK, no frame, no receipt.
--
-- Row-level security is the second line behind each statement's own WHERE: a transaction sees rows of the tenant that it
-- named in `countersign.tenant`, of every tenant where it named `*` in so many words (sweeps, operators' lists, look-ups
-- before the tenant is known), and none where it named nothing. FORCE holds the tables' owner to it as well.

-- A relying party. The unit of keys, audit chain, limits and retention; its row is the lock of those who write for it.
CREATE TABLE tenants (
    id            UUID   NOT NULL PRIMARY KEY,                            -- TenantId
    name          TEXT   NOT NULL,                                       -- what operators call it
    test          BIGINT NOT NULL CHECK (test IN (0, 1)),                -- 1: cs_test_ keys, test issuer
    policy        TEXT   NOT NULL CHECK (policy::json IS NOT NULL),      -- biometrics::policy::Policy as JSON
    kek_version   BIGINT NOT NULL,                                       -- KEK version that wraps the two secrets below
    transform_key BYTEA  NOT NULL,                                       -- wrapped key of the feature transform
    pseudonym_key BYTEA  NOT NULL,                                       -- wrapped key of the pairwise pseudonym `sub`
    next_status   BIGINT NOT NULL DEFAULT 0,                             -- next unused index of the tenant's status list
    created_at_ms BIGINT NOT NULL                                        -- when it was made
);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON tenants USING (current_setting('countersign.tenant', true) IN ('*', id::text));

-- API keys of a tenant's backend. The key itself is never stored.
CREATE TABLE api_keys (
    key_id        TEXT   NOT NULL PRIMARY KEY,                           -- the public part of the key, 16 hexadecimal digits
    tenant        UUID   NOT NULL REFERENCES tenants (id),               -- whose
    mac           BYTEA  NOT NULL CHECK (length(mac) = 32),              -- HMAC-SHA256(pepper, full key)
    created_at_ms BIGINT NOT NULL,                                       -- when it was made
    expires_at_ms BIGINT,                                                -- NULL: does not expire
    revoked_at_ms BIGINT                                                 -- NULL: not revoked
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, created_at_ms);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON api_keys USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- One challenge: a user, a purpose, an action, the tenant's nonce.
CREATE TABLE challenges (
    id                UUID   NOT NULL PRIMARY KEY,                       -- ChallengeId
    tenant            UUID   NOT NULL REFERENCES tenants (id),           -- whose
    user_id           TEXT   NOT NULL,                                   -- the tenant's own name of the user
    purpose           TEXT   NOT NULL CHECK (purpose IN ('ENROLL', 'VERIFY')), -- for what
    replace_reference BIGINT NOT NULL CHECK (replace_reference IN (0, 1)), -- 1: an ENROLL may replace a reference
    action            TEXT   NOT NULL CHECK (action::json IS NOT NULL),  -- the action as the tenant gave it
    action_sha256     BYTEA  NOT NULL CHECK (length(action_sha256) = 32), -- its hash
    rp_nonce          BYTEA  NOT NULL,                                   -- the tenant's nonce, 16 to 64 bytes, kept from the device
    mode              TEXT   NOT NULL CHECK (mode IN ('PASSIVE', 'MOTION', 'LIGHT', 'LIGHT_AND_MOTION')), -- what the capture performs
    max_attempts      BIGINT NOT NULL CHECK (max_attempts BETWEEN 1 AND 100), -- how many attempts it allows
    display_sha256    BYTEA  NOT NULL CHECK (length(display_sha256) = 32), -- hash of what the page must show
    idempotency_key   TEXT,                                              -- the caller's key, NULL: none given
    request_sha256    BYTEA,                                             -- hash of the request that came with the key
    created_at_ms     BIGINT NOT NULL,                                   -- when it was made
    expires_at_ms     BIGINT NOT NULL,                                   -- no attempt opens at or after this time
    CHECK ((idempotency_key IS NULL) = (request_sha256 IS NULL))
);
CREATE UNIQUE INDEX challenges_idempotency ON challenges (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX challenges_by_user ON challenges (tenant, user_id, expires_at_ms);
CREATE INDEX challenges_by_expiry ON challenges (expires_at_ms);
ALTER TABLE challenges ENABLE ROW LEVEL SECURITY;
ALTER TABLE challenges FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON challenges USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- One attempt at a challenge. The constraints below are the judge of single use.
CREATE TABLE attempts (
    challenge      UUID   NOT NULL REFERENCES challenges (id) ON DELETE CASCADE, -- at which challenge
    n              BIGINT NOT NULL CHECK (n >= 1),                       -- 1, 2, ... max_attempts
    tenant         UUID   NOT NULL,                                      -- the challenge's, for the index below
    user_id        TEXT   NOT NULL,                                      -- the challenge's, for the index below
    state          TEXT   NOT NULL CHECK (state IN ('OPEN', 'RELEASED', 'DECIDED', 'ABANDONED')), -- what it is at
    verdict        TEXT   CHECK (verdict IN ('ACCEPT', 'REFUSE')),       -- set exactly when DECIDED
    lease_id       UUID   NOT NULL UNIQUE,                               -- the current or last lease
    lease_until_ms BIGINT NOT NULL,                                      -- an outcome after this time is not taken
    releases       BIGINT NOT NULL DEFAULT 0,                            -- how often the lease was given back, at most 3
    jti            UUID   NOT NULL UNIQUE,                               -- reserved receipt id, new with every lease
    charged        BIGINT NOT NULL CHECK (charged IN (0, 1)),            -- 1: the strike of this attempt stands
    strike_lock_ms BIGINT,                                               -- the lock this attempt's strike set, NULL: none
    opened_at_ms   BIGINT NOT NULL,                                      -- when its last lease began
    closed_at_ms   BIGINT,                                               -- decided, released or abandoned at
    PRIMARY KEY (challenge, n),
    CHECK ((verdict IS NOT NULL) = (state = 'DECIDED'))
);
CREATE UNIQUE INDEX attempts_one_accept ON attempts (challenge) WHERE verdict = 'ACCEPT';
CREATE UNIQUE INDEX attempts_one_open ON attempts (challenge) WHERE state = 'OPEN';
CREATE INDEX attempts_open_by_user ON attempts (tenant, user_id) WHERE state = 'OPEN';
CREATE INDEX attempts_open_by_lease ON attempts (lease_until_ms) WHERE state = 'OPEN';
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON attempts USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- What is kept of a receipt while it can be used: never the receipt itself.
CREATE TABLE live_receipts (
    jti           UUID   NOT NULL PRIMARY KEY,                           -- Jti
    tenant        UUID   NOT NULL REFERENCES tenants (id),               -- whose
    user_id       TEXT   NOT NULL,                                       -- whose receipts end with an erasure
    status_index  BIGINT NOT NULL,                                       -- position in the tenant's status list
    status        TEXT   NOT NULL CHECK (status IN ('RESERVED', 'VALID', 'INVALID')), -- INVALID never becomes VALID again
    pseudonym     TEXT,                                                  -- the receipt's `sub`, NULL until decided
    expires_at_ms BIGINT NOT NULL,                                       -- use window; dropped an hour later
    UNIQUE (tenant, status_index)
);
CREATE INDEX live_receipts_by_user ON live_receipts (tenant, user_id);
CREATE INDEX live_receipts_by_expiry ON live_receipts (expires_at_ms);
ALTER TABLE live_receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE live_receipts FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON live_receipts USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- The one sealed reference of a user.
CREATE TABLE sealed_references (
    id                UUID   NOT NULL PRIMARY KEY,                       -- ReferenceId
    tenant            UUID   NOT NULL REFERENCES tenants (id),           -- whose
    user_id           TEXT   NOT NULL,                                   -- of whom
    epoch             BIGINT NOT NULL,                                   -- grows with every renewal
    feature_space     TEXT   NOT NULL,                                   -- what it may be compared with
    transform_version BIGINT NOT NULL,                                   -- of the keyed feature transform
    schema            BIGINT NOT NULL,                                   -- of the sealed plaintext
    kek_version       BIGINT NOT NULL,                                   -- KEK version that wraps the DEK
    wrapped_dek       BYTEA  NOT NULL,                                   -- the DEK, wrapped
    ciphertext        BYTEA  NOT NULL,                                   -- the reference, sealed under the DEK
    commitment        BYTEA  NOT NULL CHECK (length(commitment) = 32),   -- key commitment, named by the deletion proof
    created_at_ms     BIGINT NOT NULL,                                   -- when it was stored
    UNIQUE (tenant, user_id)
);
ALTER TABLE sealed_references ENABLE ROW LEVEL SECURITY;
ALTER TABLE sealed_references FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON sealed_references USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- What was erased and whether the proof may be given yet.
CREATE TABLE deletions (
    id            UUID   NOT NULL PRIMARY KEY,                           -- names the deletion
    tenant        UUID   NOT NULL REFERENCES tenants (id),               -- whose
    user_id       TEXT   NOT NULL,                                       -- of whom
    reference     UUID   NOT NULL,                                       -- ReferenceId of the erased reference
    epoch         BIGINT NOT NULL,                                       -- its epoch
    commitment    BYTEA  NOT NULL CHECK (length(commitment) = 32),       -- its commitment, given at enrollment
    cause         TEXT   NOT NULL,                                       -- free word of the caller, or 'replaced'
    deleted_at_ms BIGINT NOT NULL,                                       -- when it was erased
    proved_at_ms  BIGINT                                                 -- NULL: no proof given
);
CREATE INDEX deletions_pending ON deletions (tenant, user_id) WHERE proved_at_ms IS NULL;
ALTER TABLE deletions ENABLE ROW LEVEL SECURITY;
ALTER TABLE deletions FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON deletions USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- Strikes of a user, who may not have a reference.
CREATE TABLE strikes (
    tenant            UUID   NOT NULL REFERENCES tenants (id),           -- whose
    user_id           TEXT   NOT NULL,                                   -- of whom
    consecutive       BIGINT NOT NULL CHECK (consecutive >= 0),          -- charged since the last ACCEPT
    lifetime          BIGINT NOT NULL CHECK (lifetime >= 0),             -- charged since enrollment or unlock
    locked_until_ms   BIGINT,                                            -- no attempt opens before, NULL: none
    inconclusive      BIGINT NOT NULL CHECK (inconclusive >= 0),         -- INCONCLUSIVE outcomes within the window
    window_start_ms   BIGINT NOT NULL,                                   -- when that window began, one hour long
    PRIMARY KEY (tenant, user_id)
);
ALTER TABLE strikes ENABLE ROW LEVEL SECURITY;
ALTER TABLE strikes FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON strikes USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- The append-only audit log, one hash chain per tenant. Never features, frames or receipts.
CREATE TABLE audit (
    tenant UUID   NOT NULL REFERENCES tenants (id),                      -- whose chain
    seq    BIGINT NOT NULL CHECK (seq >= 1),                             -- 1, 2, ... without a gap
    kind   TEXT   NOT NULL,                                              -- such as attempt.decided
    at_ms  BIGINT NOT NULL,                                              -- when
    body   TEXT   NOT NULL CHECK (body::json IS NOT NULL),               -- canonical JSON: sorted keys, no spaces
    prev   BYTEA  NOT NULL CHECK (length(prev) = 32),                    -- hash of entry seq - 1, zeros for the first
    hash   BYTEA  NOT NULL CHECK (length(hash) = 32),                    -- over prev and everything above
    PRIMARY KEY (tenant, seq)
);
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON audit USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));

-- The serving role may not change or cut the log at all; these stop whoever else may.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit is append-only';
END
$$;
CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
