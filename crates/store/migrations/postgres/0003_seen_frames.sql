-- Frames that captures have shown, so that no other capture shows them again (gate 1). Hashes alone, for a day at most. There is
-- no older release on Postgres whose policies would have to learn of it.
CREATE TABLE seen_frames (
    tenant        UUID   NOT NULL REFERENCES tenants (id),               -- whose
    hash          BYTEA  NOT NULL CHECK (length(hash) = 16),             -- of the frame's bytes, under a key that is not in SQL
    challenge     UUID   NOT NULL,                                       -- what the capture that was first answered
    n             BIGINT NOT NULL CHECK (n >= 1),                        -- and which attempt at it that was
    expires_at_ms BIGINT NOT NULL,                                       -- forgotten from then on, the policy's window after it was seen
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX seen_frames_by_expiry ON seen_frames (expires_at_ms);
ALTER TABLE seen_frames ENABLE ROW LEVEL SECURITY;
ALTER TABLE seen_frames FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON seen_frames USING (current_setting('countersign.tenant', true) IN ('*', tenant::text));
