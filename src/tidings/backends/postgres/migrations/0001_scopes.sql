-- oldest: 1
-- What is noted of each scope that is reconciled with another system, in order of the key within a kind.
CREATE TABLE tidings.scope (name text COLLATE "C" PRIMARY KEY);
CREATE TABLE tidings.scope_note (
  scope text COLLATE "C",
  kind text COLLATE "C",
  key bytea,
  body bytea NOT NULL,
  PRIMARY KEY (scope, kind, key)
) WITH (fillfactor = 80);
