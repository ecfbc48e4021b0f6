-- Countersign, first schema. Never edited once landed: a change is a new file.
-- Identifiers are 16-byte UUIDs; every *_ms column is Unix time in milliseconds by the database's own clock;
-- every hash is 32 bytes. Nothing here opens a reference: wrapped keys and ciphertext only, no KEK, no frame, no receipt.

-- A relying party. The unit of keys, audit chain, limits and retention.
CREATE TABLE tenants (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- TenantId
    name          TEXT    NOT NULL,                                    -- what operators call it
    test          INTEGER NOT NULL CHECK (test IN (0, 1)),             -- 1: cs_test_ keys, test issuer
    policy        TEXT    NOT NULL CHECK (json_valid(policy)),         -- biometrics::policy::Policy as JSON
    kek_version   INTEGER NOT NULL,                                    -- KEK version that wraps the two secrets below
    transform_key BLOB    NOT NULL,                                    -- wrapped key of the feature transform
    pseudonym_key BLOB    NOT NULL,                                    -- wrapped key of the pairwise pseudonym `sub`
    next_status   INTEGER NOT NULL DEFAULT 0,                          -- next unused index of the tenant's status list
    created_at_ms INTEGER NOT NULL
) STRICT;

-- API keys of a tenant's backend. The key itself is never stored.
CREATE TABLE api_keys (
    key_id        TEXT    NOT NULL PRIMARY KEY,                        -- the public part of the key, 16 hexadecimal digits
    tenant        BLOB    NOT NULL REFERENCES tenants (id),            -- whose
    mac           BLOB    NOT NULL CHECK (length(mac) = 32),           -- HMAC-SHA256(pepper, full key)
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,                                             -- NULL: does not expire
    revoked_at_ms INTEGER                                              -- NULL: not revoked
) STRICT;
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, created_at_ms);

-- One challenge: a user, a purpose, an action, the tenant's nonce.
CREATE TABLE challenges (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- ChallengeId
    tenant            BLOB    NOT NULL REFERENCES tenants (id),
    user_id           TEXT    NOT NULL,                                -- the tenant's own name of the user
    purpose           TEXT    NOT NULL CHECK (purpose IN ('ENROLL', 'VERIFY')),
    replace_reference INTEGER NOT NULL CHECK (replace_reference IN (0, 1)), -- 1: an ENROLL may replace a reference
    action            TEXT    NOT NULL CHECK (json_valid(action)),     -- the action as the tenant gave it
    action_sha256     BLOB    NOT NULL CHECK (length(action_sha256) = 32),
    rp_nonce          BLOB    NOT NULL,                                -- the tenant's nonce, 16 to 64 bytes, kept from the device
    mode              TEXT    NOT NULL CHECK (mode IN ('PASSIVE', 'MOTION', 'LIGHT', 'LIGHT_AND_MOTION')),
    max_attempts      INTEGER NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    display_sha256    BLOB    NOT NULL CHECK (length(display_sha256) = 32), -- hash of what the page must show
    idempotency_key   TEXT,                                            -- the caller's key, NULL: none given
    request_sha256    BLOB,                                            -- hash of the request that came with the key
    created_at_ms     INTEGER NOT NULL,
    expires_at_ms     INTEGER NOT NULL,                                -- no attempt opens at or after this time
    CHECK ((idempotency_key IS NULL) = (request_sha256 IS NULL))
) STRICT;
CREATE UNIQUE INDEX challenges_idempotency ON challenges (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX challenges_by_user ON challenges (tenant, user_id, expires_at_ms);
CREATE INDEX challenges_by_expiry ON challenges (expires_at_ms);

-- One attempt at a challenge. The constraints below are the judge of single use.
CREATE TABLE attempts (
    challenge      BLOB    NOT NULL REFERENCES challenges (id) ON DELETE CASCADE,
    n              INTEGER NOT NULL CHECK (n >= 1),                    -- 1, 2, ... max_attempts
    tenant         BLOB    NOT NULL,                                   -- the challenge's, for the index below
    user_id        TEXT    NOT NULL,                                   -- the challenge's, for the index below
    state          TEXT    NOT NULL CHECK (state IN ('OPEN', 'RELEASED', 'DECIDED', 'ABANDONED')),
    verdict        TEXT    CHECK (verdict IN ('ACCEPT', 'REFUSE')),    -- set exactly when DECIDED
    lease_id       BLOB    NOT NULL UNIQUE,                            -- the current or last lease
    lease_until_ms INTEGER NOT NULL,                                   -- an outcome after this time is not taken
    releases       INTEGER NOT NULL DEFAULT 0,                         -- how often the lease was given back, at most 3
    jti            BLOB    NOT NULL UNIQUE,                             -- reserved receipt id, new with every lease
    charged        INTEGER NOT NULL CHECK (charged IN (0, 1)),         -- 1: the strike of this attempt stands
    strike_lock_ms INTEGER,                                            -- the lock this attempt's strike set, NULL: none
    opened_at_ms   INTEGER NOT NULL,
    closed_at_ms   INTEGER,                                            -- decided, released or abandoned at
    PRIMARY KEY (challenge, n),
    CHECK ((verdict IS NOT NULL) = (state = 'DECIDED'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX attempts_one_accept ON attempts (challenge) WHERE verdict = 'ACCEPT';
CREATE UNIQUE INDEX attempts_one_open ON attempts (challenge) WHERE state = 'OPEN';
CREATE INDEX attempts_open_by_user ON attempts (tenant, user_id) WHERE state = 'OPEN';
CREATE INDEX attempts_open_by_lease ON attempts (lease_until_ms) WHERE state = 'OPEN';

-- What is kept of a receipt while it can be used: never the receipt itself.
CREATE TABLE live_receipts (
    jti           BLOB    NOT NULL PRIMARY KEY CHECK (length(jti) = 16), -- Jti
    tenant        BLOB    NOT NULL REFERENCES tenants (id),
    user_id       TEXT    NOT NULL,                                    -- whose receipts end with an erasure
    status_index  INTEGER NOT NULL,                                    -- position in the tenant's status list
    status        TEXT    NOT NULL CHECK (status IN ('RESERVED', 'VALID', 'INVALID')),
    pseudonym     TEXT,                                                -- the receipt's `sub`, NULL until decided
    expires_at_ms INTEGER NOT NULL,                                    -- use window; dropped an hour later
    UNIQUE (tenant, status_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX live_receipts_by_user ON live_receipts (tenant, user_id);
CREATE INDEX live_receipts_by_expiry ON live_receipts (expires_at_ms);

-- The one sealed reference of a user.
CREATE TABLE sealed_references (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- ReferenceId
    tenant            BLOB    NOT NULL REFERENCES tenants (id),
    user_id           TEXT    NOT NULL,
    epoch             INTEGER NOT NULL,                                -- grows with every renewal
    feature_space     TEXT    NOT NULL,                                -- what it may be compared with
    transform_version INTEGER NOT NULL,                                -- of the keyed feature transform
    schema            INTEGER NOT NULL,                                -- of the sealed plaintext
    kek_version       INTEGER NOT NULL,                                -- KEK version that wraps the DEK
    wrapped_dek       BLOB    NOT NULL,                                -- the DEK, wrapped
    ciphertext        BLOB    NOT NULL,                                -- the reference, sealed under the DEK
    commitment        BLOB    NOT NULL CHECK (length(commitment) = 32), -- key commitment, named by the deletion proof
    created_at_ms     INTEGER NOT NULL,
    UNIQUE (tenant, user_id)
) STRICT;

-- What was erased and whether the proof may be given yet.
CREATE TABLE deletions (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant        BLOB    NOT NULL REFERENCES tenants (id),
    user_id       TEXT    NOT NULL,
    reference     BLOB    NOT NULL,                                    -- ReferenceId of the erased reference
    epoch         INTEGER NOT NULL,
    commitment    BLOB    NOT NULL CHECK (length(commitment) = 32),
    cause         TEXT    NOT NULL,                                    -- free word of the caller, or 'replaced'
    deleted_at_ms INTEGER NOT NULL,
    proved_at_ms  INTEGER                                              -- NULL: bytes may still lie in the WAL, no proof given
) STRICT;
CREATE INDEX deletions_pending ON deletions (tenant, user_id) WHERE proved_at_ms IS NULL;

-- Strikes of a user, who may not have a reference.
CREATE TABLE strikes (
    tenant            BLOB    NOT NULL REFERENCES tenants (id),
    user_id           TEXT    NOT NULL,
    consecutive       INTEGER NOT NULL CHECK (consecutive >= 0),       -- charged since the last ACCEPT
    lifetime          INTEGER NOT NULL CHECK (lifetime >= 0),          -- charged since enrollment or unlock
    locked_until_ms   INTEGER,                                         -- no attempt opens before, NULL: none
    inconclusive      INTEGER NOT NULL CHECK (inconclusive >= 0),      -- INCONCLUSIVE outcomes within the window
    window_start_ms   INTEGER NOT NULL,                                -- when that window began, one hour long
    PRIMARY KEY (tenant, user_id)
) STRICT, WITHOUT ROWID;

-- The append-only audit log, one hash chain per tenant. Never features, frames or receipts.
CREATE TABLE audit (
    tenant BLOB    NOT NULL REFERENCES tenants (id),
    seq    INTEGER NOT NULL CHECK (seq >= 1),                          -- 1, 2, ... without a gap
    kind   TEXT    NOT NULL,                                           -- such as attempt.decided
    at_ms  INTEGER NOT NULL,
    body   TEXT    NOT NULL CHECK (json_valid(body)),                  -- canonical JSON: sorted keys, no spaces
    prev   BLOB    NOT NULL CHECK (length(prev) = 32),                 -- hash of entry seq - 1, zeros for the first
    hash   BLOB    NOT NULL CHECK (length(hash) = 32),                 -- over prev and everything above
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit is append-only');
END;
