-- oldest: 1
-- CREATE SCHEMA IF NOT EXISTS wants the right to make schemas even where there is nothing to make.
DO $$ BEGIN
  IF to_regnamespace('tidings') IS NULL THEN CREATE SCHEMA tidings; END IF;
END $$;

CREATE TABLE tidings.schema_step (
  number int PRIMARY KEY,
  oldest int NOT NULL,
  made_by text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row for ever. Half of it is updated several times a second: most of each page is left free for that.
CREATE TABLE tidings.head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  incarnation text NOT NULL,
  secret bytea NOT NULL,
  safe_pos bigint NOT NULL DEFAULT 0,
  floor_pos bigint NOT NULL DEFAULT 0,
  seen_version int NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- gen_random_uuid draws 122 bits from the server's strong source.
INSERT INTO tidings.head (incarnation, secret) VALUES (
  left(gen_random_uuid()::text, 8),
  decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
