-- SPDX-License-Identifier: Apache-2.0
-- coolplane database, version 1. Times are UTC epoch milliseconds; the views v_* show names and RFC 3339 text.
-- Samples are keyed (time, point), because they arrive in time order: a point-first key is seven times slower when
-- large. When looking at one point, bound t_ms as well (v_samples has it), or the whole history is read.

CREATE TABLE code (              -- numbers stored elsewhere and their names, as printed in logs and on the console
  kind TEXT NOT NULL,
  id   INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES ('samples', 0), ('good', 0), ('duplicates', 0), ('decisions', 0), ('actions', 0),
                           ('events', 0);

CREATE TABLE config (            -- text of the files a configuration was read from
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  ord  INTEGER NOT NULL,
  path TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (hash, ord)
) STRICT;

CREATE TABLE run (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  mode       TEXT NOT NULL CHECK (mode IN ('live', 'shadow', 'replay', 'import', 'sim')),
  start_t_ms INTEGER NOT NULL,
  end_t_ms   INTEGER,            -- NULL: running, or ended without saying so
  end_reason TEXT,
  version    TEXT NOT NULL,
  config     TEXT NOT NULL CHECK (length(config) = 64)
) STRICT;

CREATE TABLE point (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  name      TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
  unit      TEXT NOT NULL,       -- SI unit of sample.value
  role      TEXT NOT NULL,
  brick     TEXT NOT NULL,
  equipment TEXT NOT NULL,
  zone      TEXT NOT NULL,
  device    TEXT NOT NULL,
  writable  INTEGER NOT NULL CHECK (writable IN (0, 1))
) STRICT;

CREATE TABLE sample (
  t_ms     INTEGER NOT NULL,     -- source time
  point_id INTEGER NOT NULL CHECK (point_id > 0),
  value    REAL,                 -- SI; NULL: no number
  raw      REAL,                 -- as it came, before scale and offset
  quality  INTEGER NOT NULL CHECK (quality BETWEEN 0 AND 2),
  reason   INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 255),
  PRIMARY KEY (t_ms, point_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE latest (            -- newest sample of each point, kept by the writer with every batch
  point_id INTEGER PRIMARY KEY REFERENCES point (id),
  t_ms     INTEGER NOT NULL,
  value    REAL,
  raw      REAL,
  quality  INTEGER NOT NULL CHECK (quality BETWEEN 0 AND 2),
  reason   INTEGER NOT NULL
) STRICT;

CREATE TABLE decision (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id          INTEGER NOT NULL REFERENCES run (id),
  step            INTEGER NOT NULL CHECK (step >= 0),
  t_ms            INTEGER NOT NULL,
  mode            TEXT NOT NULL CHECK (length(mode) > 0),
  kind            INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),
  reason          INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 255),
  binding         TEXT NOT NULL, -- point that bound the decision, '' = none
  -- certificate
  model_hash      TEXT NOT NULL CHECK (length(model_hash) = 16),
  delta           REAL,
  horizon         INTEGER NOT NULL,
  margin          REAL,
  binding_y       INTEGER NOT NULL,
  binding_u       INTEGER NOT NULL,
  fraction        REAL,
  terminal        INTEGER NOT NULL CHECK (terminal IN (0, 1)),
  verified        INTEGER NOT NULL CHECK (verified IN (0, 1)),
  -- proposal
  has_proposal    INTEGER NOT NULL CHECK (has_proposal IN (0, 1)),
  predicted_w     REAL,
  predicted_std_w REAL,
  move            TEXT NOT NULL,
  worst_inlet_c   REAL,
  solve_s         REAL,
  UNIQUE (run_id, step)
) STRICT;
CREATE INDEX decision_t ON decision (t_ms);

CREATE TABLE decision_var (
  decision_id INTEGER NOT NULL REFERENCES decision (id),
  var         INTEGER NOT NULL CHECK (var >= 0),
  point_id    INTEGER REFERENCES point (id),
  proposal    REAL,              -- NULL: none, or not a number
  action      REAL,
  confirmed   REAL,              -- last read-back before the action; NULL: unknown
  PRIMARY KEY (decision_id, var)
) STRICT, WITHOUT ROWID;

CREATE TABLE action (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id       INTEGER NOT NULL REFERENCES run (id),
  decision_id  INTEGER REFERENCES decision (id),
  t_ms         INTEGER NOT NULL,
  point_id     INTEGER NOT NULL REFERENCES point (id),
  value        REAL NOT NULL,
  why          TEXT NOT NULL CHECK (length(why) > 0),
  result       INTEGER NOT NULL DEFAULT 0 CHECK (result BETWEEN 0 AND 255),
  written      REAL,
  read_back    REAL,
  outcome_t_ms INTEGER
) STRICT;
CREATE INDEX action_decision ON action (decision_id);
CREATE INDEX action_point ON action (point_id, t_ms);

CREATE TABLE event (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id    INTEGER REFERENCES run (id),
  t_ms      INTEGER NOT NULL,
  severity  INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 7),
  component TEXT NOT NULL CHECK (length(component) > 0),
  text      TEXT NOT NULL
) STRICT;
CREATE INDEX event_t ON event (t_ms);

CREATE TABLE vm_message (        -- of subtopic 'inventory' only the newest is kept
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  t_ms     INTEGER NOT NULL,
  subtopic TEXT NOT NULL CHECK (length(subtopic) > 0),
  json     TEXT NOT NULL
) STRICT;
CREATE INDEX vm_message_subtopic ON vm_message (subtopic, t_ms);

CREATE TABLE model (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  kind          TEXT NOT NULL CHECK (length(kind) > 0),
  t_ms          INTEGER NOT NULL,
  train_from_ms INTEGER NOT NULL,
  train_to_ms   INTEGER NOT NULL,
  hash          TEXT NOT NULL CHECK (length(hash) = 16),
  report_json   TEXT NOT NULL,
  blob          BLOB NOT NULL
) STRICT;
CREATE INDEX model_kind ON model (kind, id);

CREATE TABLE state (             -- small things that survive a restart
  name TEXT PRIMARY KEY CHECK (length(name) > 0),
  t_ms INTEGER NOT NULL,
  blob BLOB NOT NULL
) STRICT;

CREATE TRIGGER count_decision AFTER INSERT ON decision BEGIN
  UPDATE counter SET value = value + 1 WHERE name = 'decisions';
END;
CREATE TRIGGER count_action AFTER INSERT ON action BEGIN
  UPDATE counter SET value = value + 1 WHERE name = 'actions';
END;
CREATE TRIGGER count_event AFTER INSERT ON event BEGIN
  UPDATE counter SET value = value + 1 WHERE name = 'events';
END;

CREATE VIEW v_points AS
  SELECT id, name, unit, role, brick, equipment, zone, device, writable FROM point;

CREATE VIEW v_samples AS
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', s.t_ms / 1000.0, 'unixepoch') AS time, p.name AS point, s.value, p.unit,
         (SELECT name FROM code WHERE kind = 'quality' AND id = s.quality) AS quality,
         coalesce((SELECT name FROM code WHERE kind = 'quality_reason' AND id = s.reason), s.reason) AS reason,
         s.raw, s.t_ms, s.point_id
  FROM sample s LEFT JOIN point p ON p.id = s.point_id;

CREATE VIEW v_latest AS
  SELECT p.name AS point, s.value, p.unit,
         (SELECT name FROM code WHERE kind = 'quality' AND id = s.quality) AS quality,
         coalesce((SELECT name FROM code WHERE kind = 'quality_reason' AND id = s.reason), s.reason) AS reason,
         strftime('%Y-%m-%dT%H:%M:%fZ', s.t_ms / 1000.0, 'unixepoch') AS time,
         p.role, p.equipment, p.zone, s.raw, s.t_ms, p.id AS point_id
  FROM point p JOIN latest s ON s.point_id = p.id;

CREATE VIEW v_decisions AS
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', d.t_ms / 1000.0, 'unixepoch') AS time, d.run_id AS run, d.step, d.mode,
         coalesce((SELECT name FROM code WHERE kind = 'decision' AND id = d.kind), d.kind) AS decision,
         coalesce((SELECT name FROM code WHERE kind = 'decision_reason' AND id = d.reason), d.reason) AS reason,
         d.binding, d.margin, d.horizon, d.delta, d.fraction, d.binding_y, d.binding_u, d.terminal, d.verified, d.model_hash, d.has_proposal,
         d.predicted_w, d.predicted_std_w, d.move, d.worst_inlet_c, d.solve_s, d.t_ms, d.id
  FROM decision d;

CREATE VIEW v_setpoints AS
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', d.t_ms / 1000.0, 'unixepoch') AS time, d.run_id AS run, d.step,
         coalesce(p.name, 'u[' || v.var || ']') AS point, v.confirmed, v.proposal, v.action,
         v.action - v.confirmed AS change, p.unit, d.t_ms, d.id AS decision_id, v.var, v.point_id
  FROM decision d JOIN decision_var v ON v.decision_id = d.id LEFT JOIN point p ON p.id = v.point_id;

CREATE VIEW v_actions AS
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', a.t_ms / 1000.0, 'unixepoch') AS time, a.run_id AS run, d.step,
         p.name AS point, a.value, p.unit, a.why,
         coalesce((SELECT name FROM code WHERE kind = 'write_result' AND id = a.result), a.result) AS result,
         a.written, a.read_back, strftime('%Y-%m-%dT%H:%M:%fZ', a.outcome_t_ms / 1000.0, 'unixepoch') AS outcome_time,
         a.t_ms, a.id, a.decision_id, a.point_id
  FROM action a JOIN point p ON p.id = a.point_id LEFT JOIN decision d ON d.id = a.decision_id;

CREATE VIEW v_events AS
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', e.t_ms / 1000.0, 'unixepoch') AS time, e.run_id AS run,
         coalesce((SELECT name FROM code WHERE kind = 'severity' AND id = e.severity), e.severity) AS severity,
         e.component, e.text, e.t_ms, e.id
  FROM event e;

CREATE VIEW v_runs AS
  SELECT r.id AS run, r.mode, strftime('%Y-%m-%dT%H:%M:%fZ', r.start_t_ms / 1000.0, 'unixepoch') AS start,
         strftime('%Y-%m-%dT%H:%M:%fZ', r.end_t_ms / 1000.0, 'unixepoch') AS end, r.end_reason, r.version, r.config,
         r.start_t_ms, r.end_t_ms
  FROM run r;

CREATE VIEW v_models AS
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', m.t_ms / 1000.0, 'unixepoch') AS time, m.kind,
         strftime('%Y-%m-%dT%H:%M:%fZ', m.train_from_ms / 1000.0, 'unixepoch') AS train_from,
         strftime('%Y-%m-%dT%H:%M:%fZ', m.train_to_ms / 1000.0, 'unixepoch') AS train_to,
         m.hash, length(m.blob) AS bytes, m.report_json, m.t_ms, m.id
  FROM model m;
