-- SPDX-License-Identifier: Apache-2.0
-- Version 3: what each decision was made on, so that its certificate can be computed again (coolplane audit verify).
-- The blobs are written and read by agent/gate/evidence.c. Both are deleted with the samples of their time.

CREATE TABLE model_set (         -- a set and what follows it: a decision's evidence holds only what differs from it
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  hash TEXT NOT NULL CHECK (length(hash) = 16),
  blob BLOB NOT NULL
) STRICT;

CREATE TABLE evidence (
  decision_id INTEGER PRIMARY KEY REFERENCES decision (id),
  set_id      INTEGER NOT NULL REFERENCES model_set (id),
  digest      BLOB NOT NULL CHECK (length(digest) = 32), -- SHA-256: mode, config, version of its run; the decision, its variables, blob
  blob        BLOB NOT NULL
) STRICT;
CREATE INDEX evidence_set ON evidence (set_id);
