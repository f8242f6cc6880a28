-- oldest: 1
-- Keep one envelope of which nothing is expected, in a transaction of its own: `tidings.append` for the commonest append,
-- without its arrays, at less than half the cost. The arguments are those of one element there; `p_timed`: its key is in
-- order of time. Returns the position. NULL: the id is there already, or the type is fed to an inline view; nothing was
-- kept, and `tidings.append` has to say what that means. The order of the statements is as there, and for the same reasons.
CREATE FUNCTION tidings.append_one(
  p_recorded bigint, p_stripe int, p_timed boolean, p_k1 bigint, p_k2 bigint,
  p_slot smallint, p_skey bigint, p_source text, p_id text, p_type text, p_version int, p_subject text, p_attrs bytea,
  p_data bytea
) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $f$
DECLARE
  v_at bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the log takes only READ COMMITTED transactions: each step has to see what the last one waited for';
  END IF;
  IF current_setting('synchronous_commit') = 'off' AND set_config('synchronous_commit', 'on', true) IS NULL
    OR pg_advisory_xact_lock_shared(1953063938, p_stripe) IS NULL
    OR pg_advisory_xact_lock_shared(1953063937, 1) IS NULL THEN
    RETURN NULL;
  END IF;
  -- One statement looks, draws and keeps: the conditions name no row, so they are judged before anything is made of one.
  IF p_timed THEN
    INSERT INTO tidings.seen_time AS s (k1, k2, pos) SELECT p_k1, p_k2, nextval('tidings.position')
     WHERE NOT EXISTS (SELECT FROM tidings.seen_time t WHERE t.k1 = p_k1 AND t.k2 = p_k2)
       AND NOT EXISTS (SELECT FROM tidings.inline i WHERE i.type = p_type)
     RETURNING s.pos INTO v_at;
  ELSE
    INSERT INTO tidings.seen_opaque AS s (k1, k2, pos) SELECT p_k1, p_k2, nextval('tidings.position')
     WHERE NOT EXISTS (SELECT FROM tidings.seen_opaque t WHERE t.k1 = p_k1 AND t.k2 = p_k2)
       AND NOT EXISTS (SELECT FROM tidings.inline i WHERE i.type = p_type)
     RETURNING s.pos INTO v_at;
  END IF;
  IF v_at IS NOT NULL THEN
    INSERT INTO tidings.log (pos, recorded, slot, skey, source, id, type, dataversion, subject, attrs, data)
      VALUES (v_at, p_recorded, p_slot, p_skey, p_source, p_id, p_type, p_version, p_subject, p_attrs, p_data);
  END IF;
  RETURN v_at;
END $f$;
