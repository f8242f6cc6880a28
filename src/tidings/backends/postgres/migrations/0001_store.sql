-- oldest: 1
-- What is remembered. Times are µs since 1970. Texts compare byte by byte, as on every other back end. A subject is
-- bytes, because what stands for an event without one holds U+0000, which is no text here.

-- The time of all processes, whatever their own clocks say; or the one that is given.
CREATE FUNCTION tidings.now_us(given bigint) RETURNS bigint LANGUAGE sql VOLATILE PARALLEL RESTRICTED
RETURN coalesce(given, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

-- Half of each page is left free, so that updates in place need no index.
CREATE TABLE tidings.checkpoint (
  consumer text COLLATE "C",
  part smallint,
  pos bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  owner text,
  until bigint,
  trying bigint,
  tries int NOT NULL DEFAULT 0,
  gate bigint NOT NULL DEFAULT 0,
  paused text,
  PRIMARY KEY (consumer, part)
) WITH (fillfactor = 50);

-- Who holds no partition and wants some: who holds one is seen by its leases.
CREATE TABLE tidings.asking (
  consumer text COLLATE "C",
  owner text COLLATE "C",
  until bigint NOT NULL,
  PRIMARY KEY (consumer, owner)
) WITH (fillfactor = 50);

CREATE TABLE tidings.outbox (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  dataversion int NOT NULL,
  subject text,
  attrs bytea NOT NULL,
  data bytea,
  staged bigint NOT NULL DEFAULT tidings.now_us(NULL)
);

-- For who does not control the COMMIT: what is given is appended after it, by a relay. `tidings.store.staging` writes it.
-- Anybody may write another text: what the relay could not read would keep it from all that is staged behind it. So this
-- refuses what is against `tidings.events.rules`, as far as it is told in a few microseconds.
CREATE FUNCTION tidings.stage(envelope text) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
  v record;
  v_attrs text;
  v_wrong text;
BEGIN
  SELECT e.* INTO v FROM json_to_record(envelope::json)
    AS e(source text, id text, type text, dataversion int, subject text, attrs text, data text);
  BEGIN
    v_attrs := convert_from(decode(v.attrs, 'base64'), 'UTF8');
    PERFORM v_attrs::jsonb;
  EXCEPTION WHEN data_exception THEN
    v_attrs := NULL;
  END;
  v_wrong := CASE
    WHEN coalesce(length(v.source), 0) NOT BETWEEN 1 AND 1024 THEN 'source: expected 1 to 1,024 characters'
    WHEN coalesce(length(v.id), 0) NOT BETWEEN 1 AND 256 THEN 'id: expected 1 to 256 characters'
    WHEN coalesce(length(v.type), 0) NOT BETWEEN 1 AND 255 THEN 'type: expected 1 to 255 characters'
    WHEN coalesce(v.dataversion, 0) < 1 THEN 'dataversion: expected a whole number from 1 on'
    WHEN length(v.subject) NOT BETWEEN 1 AND 1024 OR octet_length(v.subject) > 2000
      THEN 'subject: expected 1 to 1,024 characters, of at most 2,000 bytes'
    WHEN concat(v.source, v.id, v.type, v.subject) ~ '[\u0001-\u001f\u007f-\u009f]'
      THEN 'a control character is in source, id, type or subject'
    WHEN coalesce(json_typeof(v_attrs::json) <> 'object', true) THEN 'attrs: expected a JSON object, in base64'
    WHEN EXISTS (
      SELECT FROM json_each(v_attrs::json) AS a(key, value)
       WHERE value::text !~ CASE WHEN key IN ('time', 'time-stamped') THEN '^"' ELSE '^("|true$|false$|-?[0-9]{1,10}$)' END)
      THEN 'attrs: expected strings, whole numbers, true or false, and a string as the time'
  END;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION 'what is staged is no event: %', v_wrong
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Stage what app.staged() returns.';
  END IF;
  INSERT INTO tidings.outbox (source, id, type, dataversion, subject, attrs, data) VALUES
    (v.source, v.id, v.type, v.dataversion, v.subject, decode(v.attrs, 'base64'), decode(v.data, 'base64'));
END $f$;

CREATE TABLE tidings.parked (
  consumer text COLLATE "C",
  subject bytea,
  part smallint NOT NULL,
  state text NOT NULL,
  attempts int NOT NULL,
  next_at bigint,
  reason text NOT NULL,
  error text NOT NULL,
  parked_at bigint NOT NULL,
  PRIMARY KEY (consumer, subject)
) WITH (fillfactor = 80);
CREATE INDEX parked_due ON tidings.parked (consumer, part, next_at) WHERE state = 'retrying';
CREATE INDEX parked_next ON tidings.parked (next_at) WHERE state = 'retrying';

CREATE TABLE tidings.dead_letter (
  consumer text COLLATE "C",
  subject bytea,
  pos bigint,
  recorded bigint NOT NULL,
  source text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  dataversion int NOT NULL,
  event_subject text,
  attrs bytea NOT NULL,
  data bytea,
  PRIMARY KEY (consumer, subject, pos)
);

CREATE TABLE tidings.audit (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL,
  who text NOT NULL,
  what text NOT NULL,
  done_to text COLLATE "C" NOT NULL,
  subject bytea,
  pos bigint,
  reason text NOT NULL
);
CREATE INDEX audit_dropped ON tidings.audit (done_to, pos) WHERE what = 'drop';

CREATE TABLE tidings.command (
  service text COLLATE "C",
  key text COLLATE "C",
  emitted int NOT NULL,
  PRIMARY KEY (service, key)
);

-- What is sent where: `config` is JSON. Its columns beside it are what a claim needs to know.
CREATE TABLE tidings.endpoint (
  id text COLLATE "C" PRIMARY KEY,
  config bytea NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  ordering text NOT NULL,
  slots int NOT NULL,
  reserved int NOT NULL,
  rate int,
  batch int NOT NULL,
  linger bigint NOT NULL,
  state text NOT NULL,
  since bigint NOT NULL,
  why text,
  health bytea,
  not_before bigint NOT NULL DEFAULT 0,
  slowed_until bigint NOT NULL DEFAULT 0,
  tokens double precision NOT NULL DEFAULT 0,
  tokens_at bigint NOT NULL DEFAULT 0,
  claimed_at bigint NOT NULL DEFAULT 0,
  starts_after bigint NOT NULL,
  secrets bytea,
  created bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX endpoint_turn ON tidings.endpoint (claimed_at, id) WHERE state IN ('active', 'degraded');

-- Calls of functions have a service; what is sent to endpoints has an endpoint, and no payload: the log has that.
CREATE TABLE tidings.delivery (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key text COLLATE "C" NOT NULL UNIQUE,
  service text COLLATE "C",
  function text,
  payload bytea,
  ordering text COLLATE "C",
  endpoint text COLLATE "C",
  position bigint,
  run text COLLATE "C" NOT NULL DEFAULT '',
  subject text COLLATE "C",
  type text,
  pin int,
  body_hash bytea,
  batch text COLLATE "C",
  expires bigint,
  state text NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  failed int NOT NULL DEFAULT 0,
  next_at bigint,
  owner text COLLATE "C",
  until bigint,
  epoch bigint NOT NULL DEFAULT 0,
  reason text,
  error text,
  intended bigint NOT NULL,
  first_at bigint,
  held bigint,
  closed bigint
) WITH (fillfactor = 80);
CREATE INDEX delivery_due ON tidings.delivery (service, next_at, n)
  WHERE state = 'due' AND service IS NOT NULL;
CREATE INDEX delivery_next ON tidings.delivery (next_at) WHERE state = 'due' AND service IS NOT NULL;
CREATE INDEX delivery_order ON tidings.delivery (service, ordering, n)
  WHERE state IN ('due', 'leased') AND ordering IS NOT NULL;
CREATE INDEX delivery_owner ON tidings.delivery (owner, until) WHERE state = 'leased';
CREATE INDEX delivery_closed ON tidings.delivery (closed)
  WHERE closed IS NOT NULL AND state <> 'dead';
CREATE UNIQUE INDEX delivery_of ON tidings.delivery (endpoint, position, run) WHERE endpoint IS NOT NULL;
CREATE INDEX delivery_first ON tidings.delivery (endpoint, next_at, position)
  WHERE state = 'due' AND attempts = 0 AND endpoint IS NOT NULL;
CREATE INDEX delivery_late ON tidings.delivery (endpoint, next_at, position)
  WHERE state = 'due' AND attempts > 0 AND endpoint IS NOT NULL;
CREATE INDEX delivery_leased ON tidings.delivery (endpoint, attempts, batch)
  WHERE state = 'leased' AND endpoint IS NOT NULL;
CREATE INDEX delivery_until ON tidings.delivery (until) WHERE state = 'leased' AND endpoint IS NOT NULL;
CREATE INDEX delivery_open ON tidings.delivery (endpoint, n)
  WHERE closed IS NULL AND endpoint IS NOT NULL;
CREATE INDEX delivery_line ON tidings.delivery (endpoint, subject, n)
  WHERE closed IS NULL AND endpoint IS NOT NULL AND subject IS NOT NULL;
CREATE INDEX delivery_waiting ON tidings.delivery (endpoint, n)
  WHERE state IN ('due', 'behind') AND endpoint IS NOT NULL;
CREATE INDEX delivery_behind ON tidings.delivery (n) WHERE state = 'behind';
CREATE INDEX delivery_held ON tidings.delivery (held) WHERE state = 'held';
CREATE INDEX delivery_holding ON tidings.delivery (endpoint, n) WHERE state = 'held';
CREATE INDEX delivery_unreadable ON tidings.delivery (n) WHERE state = 'held' AND reason = 'version-unreadable';
CREATE INDEX delivery_expires ON tidings.delivery (expires)
  WHERE state IN ('due', 'behind', 'held') AND expires IS NOT NULL;
CREATE INDEX delivery_dead ON tidings.delivery (endpoint, position)
  WHERE state = 'dead' AND endpoint IS NOT NULL;
CREATE INDEX delivery_parked ON tidings.delivery (endpoint, subject, n)
  WHERE state = 'dead' AND endpoint IS NOT NULL AND subject IS NOT NULL;
CREATE INDEX delivery_given_up ON tidings.delivery (closed, n) WHERE state = 'dead';
CREATE INDEX delivery_uncalled ON tidings.delivery (service) WHERE state = 'dead' AND service IS NOT NULL;

CREATE TABLE tidings.attempt (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery bigint NOT NULL,
  epoch bigint NOT NULL,
  number int NOT NULL,
  began bigint NOT NULL,
  ended bigint,
  outcome text,
  error text,
  answer bytea
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX attempt_of ON tidings.attempt (delivery, epoch);
CREATE INDEX attempt_age ON tidings.attempt (began);

-- What came to receivers, and what each event of it is known by. A receipt that failed is a dead letter.
CREATE TABLE tidings.receipt (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  received bigint NOT NULL,
  forget_at bigint NOT NULL,
  method text NOT NULL,
  query bytea,
  headers bytea,
  body bytea,
  items bytea NOT NULL,
  outcome text NOT NULL,
  error text,
  last_seen bigint NOT NULL,
  seen bigint NOT NULL DEFAULT 1,
  replayed bigint,
  replays bigint NOT NULL DEFAULT 0
);
CREATE INDEX receipt_of ON tidings.receipt (receiver, n);
CREATE INDEX receipt_failed ON tidings.receipt (outcome, n) WHERE outcome <> 'stored';
CREATE INDEX receipt_given_up ON tidings.receipt (received, n) WHERE outcome = 'failed';
CREATE INDEX receipt_forget ON tidings.receipt (forget_at) WHERE outcome <> 'failed';

CREATE TABLE tidings.receipt_key (
  source text COLLATE "C",
  key text COLLATE "C",
  content bytea NOT NULL,
  receipt bigint NOT NULL,
  PRIMARY KEY (source, key)
);
CREATE INDEX receipt_key_of ON tidings.receipt_key (receipt);

CREATE TABLE tidings.receiver (
  id text COLLATE "C" PRIMARY KEY,
  config bytea NOT NULL,
  created bigint NOT NULL,
  secrets bytea,
  version bigint NOT NULL DEFAULT 1,
  state text NOT NULL
);

CREATE TABLE tidings.api_key (
  id text COLLATE "C" PRIMARY KEY,
  owner text NOT NULL,
  scopes bytea NOT NULL,
  sources bytea,
  digest bytea NOT NULL,
  created bigint NOT NULL,
  expires bigint,
  revoked bigint,
  used bigint
) WITH (fillfactor = 50);

CREATE TABLE tidings.kept_answer (
  owner text COLLATE "C",
  route text COLLATE "C",
  key text COLLATE "C",
  fingerprint bytea NOT NULL,
  at bigint NOT NULL,
  answer bytea NOT NULL,
  PRIMARY KEY (owner, route, key)
);
CREATE INDEX kept_answer_age ON tidings.kept_answer (at);

CREATE TABLE tidings.view (
  service text COLLATE "C",
  name text COLLATE "C",
  version int,
  state text NOT NULL,
  shape text NOT NULL,
  mode text NOT NULL,
  declared int NOT NULL,
  spec bytea NOT NULL,
  audited bigint NOT NULL,
  PRIMARY KEY (service, name, version)
);
