-- oldest: 1
-- Positions. Whoever draws one holds the lock ORDER, shared, until its transaction ends: see `horizon.py` for why.
CREATE SEQUENCE tidings.position AS bigint CACHE 1 NO CYCLE;

-- `slot` and `skey` are what `tidings.events.identity` makes of the subject; `recorded` is in µs since 1970 (UTC).
CREATE TABLE tidings.log (
  pos bigint NOT NULL,
  recorded bigint NOT NULL,
  slot smallint NOT NULL,
  skey bigint,
  source text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  dataversion int NOT NULL,
  subject text,
  attrs bytea NOT NULL,
  data bytea,
  PRIMARY KEY (pos)
) PARTITION BY RANGE (pos);
CREATE INDEX log_subject ON tidings.log (skey, pos) WHERE skey IS NOT NULL;

-- Each (source, id) for ever, as the two halves of its key (`tidings.log.seen_key`). Keys that come in order of time
-- are added at one edge of their table; opaque ones anywhere in theirs, which is in parts so that none grows too large.
CREATE TABLE tidings.seen_time (k1 bigint, k2 bigint, pos bigint NOT NULL, PRIMARY KEY (k1, k2))
  WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_freeze_min_age = 0);
CREATE TABLE tidings.seen_opaque (k1 bigint, k2 bigint, pos bigint NOT NULL, PRIMARY KEY (k1, k2)) PARTITION BY HASH (k1);

DO $$
BEGIN
  FOR n IN 0 .. 15 LOOP
    EXECUTE format(
      'CREATE TABLE tidings.seen_opaque_%s PARTITION OF tidings.seen_opaque FOR VALUES WITH (MODULUS 16, REMAINDER %s) '
      'WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_freeze_min_age = 0)', n, n);
  END LOOP;
END $$;

-- Which inline views the types of an append are fed to.
CREATE TABLE tidings.inline (type text, stamp text, PRIMARY KEY (type, stamp));

-- See that there is a partition for the next position, and the one behind it; return where that one ends. A partition is
-- made beside the log and then attached, so that no reader and no writer waits for it. Not to_regclass: it answers from a
-- cache, which may not know yet what who had the lock has just committed.
CREATE FUNCTION tidings.make_room() RETURNS bigint LANGUAGE plpgsql AS $f$
DECLARE
  v_part bigint := (SELECT s.last_value + 1 FROM tidings.position s) >> 24;
  v_first bigint;
  v_end bigint;
  v_name text;
BEGIN
  FOR n IN v_part .. v_part + 1 LOOP
    v_first := n::bigint << 24;
    v_end := v_first + (1 << 24);
    v_name := 'log_' || n;
    IF NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
      WHERE s.nspname = 'tidings' AND c.relname = v_name) THEN
      PERFORM pg_advisory_xact_lock(1953063939, 1);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
      WHERE s.nspname = 'tidings' AND c.relname = v_name) THEN
      EXECUTE format('CREATE TABLE tidings.%I (LIKE tidings.log, CONSTRAINT range CHECK (pos >= %s AND pos < %s)) WITH '
        '(autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_freeze_min_age = 0)', v_name, v_first, v_end);
      EXECUTE format('ALTER TABLE tidings.log ATTACH PARTITION tidings.%I FOR VALUES FROM (%s) TO (%s)',
        v_name, v_first, v_end);
      EXECUTE format('ALTER TABLE tidings.%I DROP CONSTRAINT range', v_name);
    END IF;
  END LOOP;
  RETURN v_end;
END $f$;

SELECT tidings.make_room();
