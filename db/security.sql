-- Applied after every migration, and written so that applying it again changes nothing.

-- Each table with an org_id is under forced row security; a table that forgets its policies is closed.
DO $$
DECLARE name text;
BEGIN
  FOR name IN
    SELECT c.relname FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relname <> 'activity_heads'
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO ehrconnect_tenant, ehrconnect_system', name);
  END LOOP;
END $$;
--> statement-breakpoint
-- The audit log is append-only.
REVOKE UPDATE, DELETE, TRUNCATE ON integration_activity_log FROM ehrconnect_tenant, ehrconnect_system;
--> statement-breakpoint
REVOKE ALL ON activity_heads FROM ehrconnect_tenant, ehrconnect_system;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION activity_digest(
  prev text, seq bigint, id uuid, org uuid, integration uuid, vendor text, kind text, status text,
  details jsonb, error text, actor text, by uuid, ip text, request text, at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(jsonb_build_array(
    prev, seq, id, org, integration, vendor, kind, status, details, error, actor, by, ip, request,
    extract(epoch FROM at)
  )::text, 'UTF8')), 'hex')
$$;
--> statement-breakpoint
-- Of rows that were written before the digest held the vendor and who created the row.
CREATE OR REPLACE FUNCTION activity_digest(
  prev text, seq bigint, id uuid, org uuid, integration uuid, kind text, status text, details jsonb,
  error text, actor text, ip text, request text, at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(sha256(convert_to(jsonb_build_array(
    prev, seq, id, org, integration, kind, status, details, error, actor, ip, request,
    extract(epoch FROM at)
  )::text, 'UTF8')), 'hex')
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION activity_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE head activity_heads%ROWTYPE;
BEGIN
  INSERT INTO activity_heads AS h (org_id, seq, hash) VALUES (NEW.org_id, 0, '')
  ON CONFLICT (org_id) DO UPDATE SET seq = h.seq
  RETURNING * INTO head;
  NEW.seq := head.seq + 1;
  NEW.prev_hash := head.hash;
  NEW.hash := activity_digest(NEW.prev_hash, NEW.seq, NEW.id, NEW.org_id, NEW.integration_id,
    NEW.vendor_id, NEW.activity_type, NEW.status, NEW.details, NEW.error_message, NEW.actor,
    NEW.created_by, NEW.ip, NEW.request_id, NEW.created_at);
  UPDATE activity_heads SET seq = NEW.seq, hash = NEW.hash WHERE org_id = NEW.org_id;
  RETURN NEW;
END $$;
--> statement-breakpoint
-- The end of the caller's own chain, which the roles may not read otherwise.
CREATE OR REPLACE FUNCTION activity_head() RETURNS TABLE (seq bigint, hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT h.seq, h.hash FROM activity_heads h WHERE h.org_id = app_org_id()
$$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER activity_chain BEFORE INSERT ON integration_activity_log
FOR EACH ROW EXECUTE FUNCTION activity_chain();
--> statement-breakpoint
-- Ends the transaction with one of our codes (EH404, EH412) where a condition does not hold.
CREATE OR REPLACE FUNCTION app_assert(condition boolean, code text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF condition IS NOT TRUE THEN RAISE EXCEPTION 'condition not met' USING ERRCODE = code; END IF;
END $$;
--> statement-breakpoint
-- Who asks, for which org, and may they: the first statement of every request's transaction, so that
-- a revoked key or session, or a lost role, takes effect at once and costs no round trip of its own.
-- Raises EH401 (not signed in) or EH403 (no such membership, role or scope).
CREATE OR REPLACE FUNCTION authenticate(
  p_session text, p_key_hash text, p_org uuid, p_roles text[], p_scope text, p_ip text, p_request text
) RETURNS TABLE (
  org_id uuid, user_id uuid, key_id uuid, role text, name text, email text, org_name text
) LANGUAGE plpgsql AS $$
DECLARE
  v_org uuid; v_user uuid; v_key uuid; v_role text; v_active uuid; v_sso uuid; v_permissions jsonb;
  v_parts text[] := string_to_array(p_scope, ':');
BEGIN
  IF p_key_hash IS NOT NULL THEN
    SELECT k.id, k.reference_id, nullif(k.permissions, '')::jsonb, 'admin'
      INTO v_key, v_org, v_permissions, v_role
      FROM api_keys k
      WHERE k.key = p_key_hash AND k.enabled AND (k.expires_at IS NULL OR k.expires_at > now());
    IF v_key IS NULL THEN
      RAISE EXCEPTION 'The API key is unknown, expired or revoked' USING ERRCODE = 'EH401';
    END IF;
    IF p_org IS NOT NULL AND p_org <> v_org THEN
      RAISE EXCEPTION 'The API key belongs to another organization' USING ERRCODE = 'EH403';
    END IF;
    IF v_permissions IS NOT NULL AND v_permissions <> '{}'::jsonb
       AND NOT coalesce(v_permissions -> v_parts[1] ? v_parts[2], false) THEN
      RAISE EXCEPTION 'The API key lacks the scope %', p_scope USING ERRCODE = 'EH403';
    END IF;
    UPDATE api_keys k SET last_request = now()
      WHERE k.id = v_key AND (k.last_request IS NULL OR k.last_request < now() - interval '1 minute');
  ELSE
    SELECT s.user_id, s.active_organization_id, s.sso_org_id INTO v_user, v_active, v_sso
      FROM sessions s WHERE s.token = p_session AND s.expires_at > now();
    IF v_user IS NULL THEN
      RAISE EXCEPTION 'The session has ended' USING ERRCODE = 'EH401';
    END IF;
    -- One organization's identity provider vouches for nobody in another.
    IF p_org <> v_sso THEN
      RAISE EXCEPTION 'You came by the single sign-on of another organization, which is good there only: sign in with your password for this one'
        USING ERRCODE = 'EH403';
    END IF;
    p_org := coalesce(v_sso, p_org);
    SELECT m.organization_id, m.role INTO v_org, v_role FROM members m
      WHERE m.user_id = v_user AND (p_org IS NULL OR m.organization_id = p_org)
      ORDER BY m.organization_id IS NOT DISTINCT FROM v_active DESC, m.created_at LIMIT 1;
    IF v_org IS NULL THEN
      RAISE EXCEPTION '%', CASE WHEN p_org IS NULL THEN 'You belong to no organization yet'
        ELSE 'You do not belong to this organization' END USING ERRCODE = 'EH403';
    END IF;
  END IF;
  IF NOT string_to_array(replace(v_role, ' ', ''), ',') && p_roles THEN
    RAISE EXCEPTION 'Your role (%) does not allow this', v_role USING ERRCODE = 'EH403';
  END IF;
  PERFORM set_config('app.org_id', v_org::text, true),
          set_config('app.user_id', coalesce(v_user::text, ''), true),
          set_config('app.actor', CASE WHEN v_key IS NULL THEN 'user:' || v_user ELSE 'key:' || v_key END, true),
          set_config('app.ip', coalesce(p_ip, ''), true),
          set_config('app.request_id', coalesce(p_request, ''), true);
  RETURN QUERY SELECT v_org, v_user, v_key, v_role, u.name, u.email, o.name
    FROM organizations o LEFT JOIN users u ON u.id = v_user WHERE o.id = v_org;
END $$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION authenticate FROM PUBLIC;
--> statement-breakpoint
-- API keys: tenants reach those of their org through these three only, and never the hash of one.
CREATE OR REPLACE FUNCTION org_api_keys() RETURNS TABLE (
  id uuid, name text, start text, permissions text, created_by uuid, created_at timestamptz,
  expires_at timestamptz, last_request timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT k.id, k.name, k.start, k.permissions, k.created_by, k.created_at, k.expires_at, k.last_request
    FROM api_keys k WHERE k.reference_id = app_org_id() AND k.enabled ORDER BY k.created_at DESC, k.id
$$;
--> statement-breakpoint
-- Raises EH429 beyond 20 new keys an hour or 100 that work. Revoked ones are kept for 90 days.
CREATE OR REPLACE FUNCTION add_org_api_key(
  p_id uuid, p_name text, p_start text, p_hash text, p_permissions text, p_expires timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('api_keys ' || app_org_id(), 0));
  DELETE FROM api_keys k WHERE k.reference_id = app_org_id() AND NOT k.enabled
    AND k.updated_at < now() - interval '90 days';
  IF (SELECT count(*) FROM api_keys k WHERE k.reference_id = app_org_id()
        AND k.created_at > now() - interval '1 hour') >= 20 THEN
    RAISE EXCEPTION 'At most 20 keys an hour' USING ERRCODE = 'EH429';
  END IF;
  IF (SELECT count(*) FROM api_keys k WHERE k.reference_id = app_org_id() AND k.enabled) >= 100 THEN
    RAISE EXCEPTION 'At most 100 keys: revoke one that is not used' USING ERRCODE = 'EH429';
  END IF;
  INSERT INTO api_keys (id, name, start, key, reference_id, permissions, expires_at, created_by)
    VALUES (p_id, p_name, p_start, p_hash, app_org_id(), p_permissions, p_expires, app_user_id());
END $$;
--> statement-breakpoint
-- Raises EH404 where the org has no such key.
CREATE OR REPLACE FUNCTION revoke_org_api_key(p_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  UPDATE api_keys k SET enabled = false, updated_at = now()
    WHERE k.id = p_id AND k.reference_id = app_org_id() AND k.enabled;
  IF NOT FOUND THEN RAISE EXCEPTION 'no such key' USING ERRCODE = 'EH404'; END IF;
END $$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION org_api_keys, add_org_api_key, revoke_org_api_key FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION org_api_keys, add_org_api_key, revoke_org_api_key TO ehrconnect_tenant;
--> statement-breakpoint
-- Membership is changed by Better Auth, one statement at a time: its audit row is written by that very
-- statement, so that neither is there without the other. `app.session` says who asks, and
-- `app.signing_in` who joins by single sign-on; without (a seed, work by hand) there is no row.
CREATE OR REPLACE FUNCTION log_membership() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_before text := current_setting('role');
  v_row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
  v_was jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END;
  v_org uuid := coalesce(v_row ->> 'organization_id', v_row ->> 'id');
  v_joins uuid := nullif(current_setting('app.signing_in', true), '');
  v_actor uuid := v_joins;
  v_type text;
  v_details jsonb;
BEGIN
  IF v_actor IS NULL THEN
    SELECT s.user_id INTO v_actor FROM sessions s
      WHERE s.token = nullif(current_setting('app.session', true), '') AND s.expires_at > now();
  END IF;
  IF v_actor IS NULL OR NOT EXISTS (SELECT FROM organizations o WHERE o.id = v_org) THEN
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'members' THEN
    v_type := CASE
      WHEN TG_OP = 'INSERT' THEN 'member_joined'
      WHEN TG_OP = 'UPDATE' THEN 'member_role_changed'
      WHEN (v_row ->> 'user_id')::uuid = v_actor THEN 'member_left'
      ELSE 'member_removed' END;
    v_details := jsonb_build_object('user_id', v_row -> 'user_id', 'role', v_row -> 'role')
      || CASE WHEN v_joins IS NULL THEN '{}' ELSE '{"by": "single sign-on"}' END::jsonb;
  ELSIF TG_TABLE_NAME = 'invitations' THEN
    v_type := CASE
      WHEN TG_OP = 'INSERT' THEN 'member_invited'
      WHEN v_row ->> 'status' = 'canceled' AND v_was ->> 'status' <> 'canceled'
        THEN 'invitation_cancelled' END;
    v_details := jsonb_build_object('invitation_id', v_row -> 'id', 'role', v_row -> 'role');
  ELSE
    v_type := 'organization_updated';
    v_details := '{}';
  END IF;
  IF v_type IS NULL THEN RETURN NULL; END IF;
  PERFORM set_config('role', 'ehrconnect_system', true);
  INSERT INTO integration_activity_log (org_id, activity_type, status, details, actor, created_by)
    VALUES (v_org, v_type, 'success', v_details, 'user:' || v_actor, v_actor);
  PERFORM set_config('role', v_before, true);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER log_membership AFTER INSERT OR UPDATE OF role OR DELETE ON members
FOR EACH ROW EXECUTE FUNCTION log_membership();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER log_membership AFTER INSERT OR UPDATE OF status ON invitations
FOR EACH ROW EXECUTE FUNCTION log_membership();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER log_membership AFTER UPDATE OF name, slug, logo, metadata ON organizations
FOR EACH ROW EXECUTE FUNCTION log_membership();
--> statement-breakpoint
-- A link that sets a new password is made for people of one organization only: it ends with that.
CREATE OR REPLACE FUNCTION end_password_resets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM verifications v
    WHERE v.identifier LIKE 'reset-password:%' AND v.value = NEW.user_id::text;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER end_password_resets AFTER INSERT ON members
FOR EACH ROW EXECUTE FUNCTION end_password_resets();
