-- A proof whose answer was lost is given again for a day: the user's deletions are looked up proved ones included.
CREATE INDEX deletions_by_user ON deletions (tenant, user_id, deleted_at_ms);
