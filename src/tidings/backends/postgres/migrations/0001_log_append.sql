-- oldest: 1
-- The first entry after a position that a filter lets through; NULL if there is none. A NULL argument lets all through.
CREATE FUNCTION tidings.first_match(
  p_after bigint, p_types text[], p_source text, p_skey bigint, p_subject text, p_firsts int[], p_ends int[]
) RETURNS bigint LANGUAGE plpgsql AS $f$
BEGIN
  IF p_skey IS NOT NULL THEN
    RETURN (
      SELECT min(l.pos) FROM tidings.log l
       WHERE l.skey = p_skey AND l.pos > p_after AND l.subject = p_subject
         AND (p_types IS NULL OR l.type = ANY (p_types)) AND (p_source IS NULL OR l.source = p_source)
         AND (p_firsts IS NULL OR EXISTS (
           SELECT FROM unnest(p_firsts, p_ends) AS r(first, until) WHERE l.slot >= r.first AND l.slot < r.until)));
  END IF;
  RETURN (
    SELECT l.pos FROM tidings.log l
     WHERE l.pos > p_after
       AND (p_types IS NULL OR l.type = ANY (p_types)) AND (p_source IS NULL OR l.source = p_source)
       AND (p_firsts IS NULL OR EXISTS (
           SELECT FROM unnest(p_firsts, p_ends) AS r(first, until) WHERE l.slot >= r.first AND l.slot < r.until))
     ORDER BY l.pos LIMIT 1);
END $f$;

-- Judge writes and keep the good ones, in one statement of a READ COMMITTED transaction, as its last act.
--
-- `p_counts`: how many envelopes each write has. Arrays p_k1, p_k2 and l_ are parallel, an element for each envelope.
-- `p_low` and `p_high` are the lowest and the highest p_k1 of keys in order of time, NULL if there are none; `p_timed`
-- says which those are, if there are both kinds; `p_same` what was found when an envelope was compared with the kept one
-- (NULL: not compared yet). l_ are the columns of the log: if they are NULL, the caller copies its rows into the log
-- itself, at the positions that are returned, in this transaction, and `p_types` are those there are. e_ for each
-- expectation; c_ for the one condition, of write `c_write`; g_ for each stripe of subjects, ascending. An array of
-- nothing is NULL, which costs a tenth of an empty one.
--
-- `positions` is parallel to the envelopes: where each stands now, NULL for what was refused. `known`: the places, from
-- 1, of those that were there already. `differing`: those of them that are not the same byte for byte and whose p_same is
-- NULL; then nothing was kept, and the caller has to compare. `moved`, parallel to e_: NULL, or the position that stands
-- against the expectation (0: the expected entry is not there). `met`: the one that stands against the condition.
-- `must_fold`: one of the types is fed to an inline view, `p_in_unit` is false, and nothing was kept.
--
-- A unique_violation: another transaction took one of the ids meanwhile. Repeated, this one finds it.
CREATE FUNCTION tidings.append(
  p_in_unit boolean, p_recorded bigint, p_counts int[],
  p_low bigint, p_high bigint, p_has_opaque boolean, p_timed boolean[], p_k1 bigint[], p_k2 bigint[], p_same boolean[],
  p_types text[],
  l_slot smallint[], l_skey bigint[], l_source text[], l_id text[], l_type text[], l_version int[], l_subject text[],
  l_attrs bytea[], l_data bytea[],
  e_write int[], e_skey bigint[], e_subject text[], e_after bigint[],
  c_write int, c_after bigint, c_types text[], c_source text, c_skey bigint, c_subject text, c_firsts int[], c_ends int[],
  g_stripe int[], g_alone boolean[],
  OUT positions bigint[], OUT known int[], OUT differing int[], OUT moved bigint[], OUT met bigint, OUT must_fold boolean
) LANGUAGE plpgsql
-- What is fast on an empty table is kept as a plan, and is not on a large one: only indexes are. What is switched off
-- counts as dear, for which the planner would have a plan compiled.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $f$
DECLARE
  v_count int := cardinality(p_k1);
  v_write int[];
  v_at bigint[];
  v_more int[];
  v_more_at bigint[];
  v_is_known boolean[];
  v_is_refused boolean[];
  v_is_open boolean[];
  v_kept int := v_count;
  v_may_be_known boolean;
  v_folds boolean := false;
BEGIN
  must_fold := false;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the log takes only READ COMMITTED transactions: each step has to see what the last one waited for';
  END IF;
  -- What is acknowledged is flushed, also where this is switched off while programs run.
  IF current_setting('synchronous_commit') = 'off' AND set_config('synchronous_commit', 'on', true) IS NULL THEN
    RETURN;
  END IF;
  -- Whoever writes a subject holds its stripe, so that who expects something of it waits here, and sees what comes.
  -- What is fed to an inline view is written alone: its row takes the entries of a subject in the order of their
  -- positions, and one that came behind a higher one would be taken for an entry that is in the row already.
  -- Conditions without a query are a tenth of the cost of PERFORM.
  IF p_in_unit THEN
    v_folds := EXISTS (SELECT FROM tidings.inline i WHERE i.type = ANY (coalesce(p_types, l_type)));
  END IF;
  FOR i IN 1 .. cardinality(g_stripe) LOOP
    IF (v_folds OR g_alone[i] IS TRUE) AND pg_advisory_xact_lock(1953063938, g_stripe[i]) IS NULL
      OR NOT (v_folds OR g_alone[i] IS TRUE) AND pg_advisory_xact_lock_shared(1953063938, g_stripe[i]) IS NULL THEN
      RETURN;
    END IF;
  END LOOP;

  -- New keys in order of time lie where no kept ones are, as a rule: then one look is enough for all of them.
  v_may_be_known := p_low IS NOT NULL;
  IF v_may_be_known AND v_count > 1 THEN
    v_may_be_known := EXISTS (SELECT FROM tidings.seen_time t WHERE t.k1 >= p_low AND t.k1 <= p_high);
  END IF;
  IF v_may_be_known THEN
    SELECT array_agg(e.n), array_agg(s.pos) INTO known, v_at
      FROM unnest(p_k1, p_k2, p_timed) WITH ORDINALITY AS e(k1, k2, timed, n)
      CROSS JOIN LATERAL (SELECT t.pos FROM tidings.seen_time t WHERE t.k1 = e.k1 AND t.k2 = e.k2 OFFSET 0) AS s
     WHERE coalesce(e.timed, true);
  END IF;
  IF p_has_opaque THEN
    SELECT array_agg(e.n), array_agg(s.pos) INTO v_more, v_more_at
      FROM unnest(p_k1, p_k2, p_timed) WITH ORDINALITY AS e(k1, k2, timed, n)
      CROSS JOIN LATERAL (SELECT t.pos FROM tidings.seen_opaque t WHERE t.k1 = e.k1 AND t.k2 = e.k2 OFFSET 0) AS s
     WHERE NOT coalesce(e.timed, false);
    known := known || v_more;
    v_at := v_at || v_more_at;
  END IF;

  IF known IS NULL AND e_write IS NULL AND c_write IS NULL THEN
    known := '{}';
    moved := '{}';
  ELSE
    known := coalesce(known, '{}');
    SELECT array_agg(k.n) INTO differing
      FROM unnest(known, v_at) AS k(n, pos)
      LEFT JOIN LATERAL (SELECT * FROM tidings.log l WHERE l.pos = k.pos OFFSET 0) AS l ON true
     WHERE p_same[k.n] IS NULL AND (l.pos IS NULL OR (l.type, l.dataversion, l.subject, l.attrs, l.data)
       IS DISTINCT FROM (l_type[k.n], l_version[k.n], l_subject[k.n], l_attrs[k.n], l_data[k.n]));
    v_write := ARRAY(SELECT c.write FROM unnest(p_counts) WITH ORDINALITY AS c(count, write),
      generate_series(1, c.count) ORDER BY c.write);
    v_is_known := array_fill(false, ARRAY[v_count]);
    v_is_refused := array_fill(false, ARRAY[cardinality(p_counts)]);
    v_is_open := v_is_refused;
    positions := array_fill(NULL::bigint, ARRAY[v_count]);
    FOR i IN 1 .. cardinality(known) LOOP
      v_is_known[known[i]] := true;
      positions[known[i]] := v_at[i];
      IF NOT p_same[known[i]] THEN
        v_is_refused[v_write[known[i]]] := true;
      END IF;
    END LOOP;
    IF differing IS NOT NULL THEN
      RETURN;
    END IF;
    FOR i IN 1 .. v_count LOOP
      IF NOT v_is_known[i] AND NOT v_is_refused[v_write[i]] THEN
        v_is_open[v_write[i]] := true;
      END IF;
    END LOOP;
    SELECT coalesce(array_agg(CASE
        WHEN NOT v_is_open[e.write] THEN NULL
        WHEN l.pos IS NOT NULL THEN l.pos
        WHEN e.after > (SELECT h.floor_pos FROM tidings.head h WHERE h.one)
          AND NOT EXISTS (SELECT FROM tidings.log x WHERE x.pos = e.after AND x.subject = e.subject) THEN 0
      END ORDER BY e.n), '{}') INTO moved
      FROM unnest(e_write, e_skey, e_subject, e_after) WITH ORDINALITY AS e(write, skey, subject, after, n)
      LEFT JOIN LATERAL (SELECT max(l.pos) AS pos FROM tidings.log l
        WHERE l.skey = e.skey AND l.pos > e.after AND l.subject = e.subject) AS l ON true;
    FOR i IN 1 .. cardinality(moved) LOOP
      IF moved[i] IS NOT NULL THEN
        v_is_open[e_write[i]] := false;
      END IF;
    END LOOP;
    IF v_is_open[c_write] THEN
      met := tidings.first_match(c_after, c_types, c_source, c_skey, c_subject, c_firsts, c_ends);
      v_is_open[c_write] := met IS NULL;
    END IF;
    v_kept := 0;
    FOR i IN 1 .. v_count LOOP
      IF NOT v_is_known[i] AND v_is_open[v_write[i]] THEN
        v_kept := v_kept + 1;
      END IF;
    END LOOP;
  END IF;
  IF v_kept = 0 THEN
    RETURN;
  END IF;

  -- ORDER: a statement of its own, before any number is drawn. Everything that may be refused has been by now.
  IF pg_advisory_xact_lock_shared(1953063937, 1) IS NULL THEN
    RETURN;
  END IF;
  IF NOT v_folds AND EXISTS (SELECT FROM tidings.inline i WHERE i.type = ANY (coalesce(p_types, l_type))) THEN
    IF p_in_unit THEN
      RAISE EXCEPTION 'an inline view came about meanwhile: repeat the transaction' USING ERRCODE = '40001';
    END IF;
    must_fold := true;
    RETURN;
  END IF;
  IF v_kept = v_count THEN
    v_at := ARRAY(SELECT nextval('tidings.position') FROM generate_series(1, v_count));
    positions := v_at;
  ELSE
    v_at := array_fill(NULL::bigint, ARRAY[v_count]);
    FOR i IN 1 .. v_count LOOP
      IF NOT v_is_known[i] AND v_is_open[v_write[i]] THEN
        v_at[i] := nextval('tidings.position');
        positions[i] := v_at[i];
      END IF;
    END LOOP;
  END IF;
  -- In the order of their keys, so that two who bring the same ids wait for each other in one direction only.
  IF p_low IS NOT NULL THEN
    INSERT INTO tidings.seen_time (k1, k2, pos)
      SELECT e.k1, e.k2, e.pos FROM unnest(p_k1, p_k2, v_at, p_timed) AS e(k1, k2, pos, timed)
       WHERE coalesce(e.timed, true) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2;
  END IF;
  IF p_has_opaque THEN
    INSERT INTO tidings.seen_opaque (k1, k2, pos)
      SELECT e.k1, e.k2, e.pos FROM unnest(p_k1, p_k2, v_at, p_timed) AS e(k1, k2, pos, timed)
       WHERE NOT coalesce(e.timed, false) AND e.pos IS NOT NULL ORDER BY e.k1, e.k2;
  END IF;
  IF l_id IS NOT NULL THEN
    INSERT INTO tidings.log (pos, recorded, slot, skey, source, id, type, dataversion, subject, attrs, data)
      SELECT e.pos, p_recorded, e.slot, e.skey, e.source, e.id, e.type, e.version, e.subject, e.attrs, e.data
        FROM unnest(v_at, l_slot, l_skey, l_source, l_id, l_type, l_version, l_subject, l_attrs, l_data)
          AS e(pos, slot, skey, source, id, type, version, subject, attrs, data)
       WHERE e.pos IS NOT NULL;
  END IF;
END $f$;
