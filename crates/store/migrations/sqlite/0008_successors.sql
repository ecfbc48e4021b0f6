-- A new recogniser keeps two references of a user until the one that it made has matched.

-- Made anew, because a user may have two rows now: one that counts and one that will take its place.
CREATE TABLE sealed_references_of_two (
    id                   BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- ReferenceId
    tenant               BLOB    NOT NULL REFERENCES tenants (id),     -- whose
    user_id              TEXT    NOT NULL,                             -- of whom
    epoch                INTEGER NOT NULL,                             -- grows with every renewal
    feature_space        TEXT    NOT NULL,                             -- what it may be compared with
    transform_version    INTEGER NOT NULL,                             -- of the keyed feature transform
    schema               INTEGER NOT NULL,                             -- of the sealed plaintext
    kek_version          INTEGER NOT NULL,                             -- KEK version that wraps the DEK
    wrapped_dek          BLOB    NOT NULL,                             -- the DEK, wrapped
    ciphertext           BLOB    NOT NULL,                             -- the reference, sealed under the DEK
    commitment           BLOB    NOT NULL CHECK (length(commitment) = 32), -- key commitment, named by the deletion proof
    created_at_ms        INTEGER NOT NULL,                             -- when it was stored
    last_used_at_ms      INTEGER,                                      -- to the day; NULL: not yet
    transform_generation INTEGER NOT NULL DEFAULT 1,                   -- of the transform key that it was laid out with
    -- 1: made by a verification, beside the user's reference, which is the row with 0 and always there.
    successor            INTEGER NOT NULL DEFAULT 0 CHECK (successor IN (0, 1)),
    UNIQUE (tenant, user_id, successor)
) STRICT;
INSERT INTO sealed_references_of_two (id, tenant, user_id, epoch, feature_space, transform_version, schema, kek_version,
                                      wrapped_dek, ciphertext, commitment, created_at_ms, last_used_at_ms,
                                      transform_generation)
    SELECT id, tenant, user_id, epoch, feature_space, transform_version, schema, kek_version, wrapped_dek, ciphertext,
           commitment, created_at_ms, last_used_at_ms, transform_generation FROM sealed_references;
DROP TABLE sealed_references;
ALTER TABLE sealed_references_of_two RENAME TO sealed_references;
CREATE INDEX sealed_references_by_use ON sealed_references (tenant, (COALESCE(last_used_at_ms, created_at_ms)));
CREATE INDEX sealed_references_by_kek ON sealed_references (tenant, kek_version);
