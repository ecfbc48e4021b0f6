-- A new recogniser keeps two references of a user until the one that it made has matched.

-- 1: made by a verification, beside the user's reference, which is the row with 0 and always there.
ALTER TABLE sealed_references ADD COLUMN successor BIGINT NOT NULL DEFAULT 0 CHECK (successor IN (0, 1));
ALTER TABLE sealed_references DROP CONSTRAINT sealed_references_tenant_user_id_key;
ALTER TABLE sealed_references ADD CONSTRAINT sealed_references_of_two UNIQUE (tenant, user_id, successor);
