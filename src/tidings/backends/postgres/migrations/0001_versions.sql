-- oldest: 1
-- Versions of events: which there are, who runs with which, how many entries there are of each. Times are µs since 1970.
CREATE TABLE tidings.event_version (
  type text COLLATE "C",
  version int,
  sha256 text NOT NULL,
  schema bytea NOT NULL,
  published int NOT NULL,
  owner text NOT NULL,
  semantic_change int NOT NULL,
  life text NOT NULL,
  gate text NOT NULL,
  epoch bigint NOT NULL,
  by_hand int NOT NULL,
  deprecated bigint,
  sunset bigint,
  migration text NOT NULL,
  forced bigint,
  PRIMARY KEY (type, version)
);

-- What each running instance accepts, emits or serves, renewed every few seconds.
CREATE TABLE tidings.version_lease (
  instance text COLLATE "C",
  service text COLLATE "C",
  consumer text COLLATE "C",
  type text COLLATE "C",
  role text COLLATE "C",
  versions text NOT NULL,
  revision text COLLATE "C" NOT NULL,
  gate_epoch bigint NOT NULL,
  admission text NOT NULL,
  details bytea NOT NULL,
  renewed_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (instance, service, consumer, type, role)
) WITH (fillfactor = 50);

-- How many entries of a version there are in 2^14 positions, as far as `census.upto`; the rest is counted in the log.
CREATE TABLE tidings.census_segment (
  segment bigint,
  type text COLLATE "C",
  version int,
  entries bigint NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  PRIMARY KEY (segment, type, version)
);
CREATE INDEX census_segment_of ON tidings.census_segment (type, version);
CREATE TABLE tidings.census (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  upto bigint NOT NULL DEFAULT 0,
  differs int NOT NULL DEFAULT 0
);
INSERT INTO tidings.census DEFAULT VALUES;
