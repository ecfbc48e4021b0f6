-- Frames that captures have shown, so that no other capture shows them again (gate 1). Hashes alone, for a day at most.
CREATE TABLE seen_frames (
    tenant        BLOB    NOT NULL REFERENCES tenants (id),
    hash          BLOB    NOT NULL CHECK (length(hash) = 16),          -- of the frame's bytes, under a key that is not in SQL
    challenge     BLOB    NOT NULL CHECK (length(challenge) = 16),     -- what the capture that was first answered
    n             INTEGER NOT NULL CHECK (n >= 1),                     -- and which attempt at it that was
    expires_at_ms INTEGER NOT NULL,                                    -- forgotten from then on, the policy's window after it was seen
    PRIMARY KEY (tenant, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_frames_by_expiry ON seen_frames (expires_at_ms);

-- A policy that does not say for how long means a day. Test tenants send the same pictures again and again: theirs say not at all.
UPDATE tenants SET policy = json_set(policy, '$.frame_memory_seconds', 0)
    WHERE test = 1 AND json_type(policy, '$.frame_memory_seconds') IS NULL;
