-- Roles without login: the connection's user switches to them for one transaction.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ehrconnect_tenant') THEN
    CREATE ROLE ehrconnect_tenant NOLOGIN NOINHERIT;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ehrconnect_system') THEN
    CREATE ROLE ehrconnect_system NOLOGIN NOINHERIT;
  END IF;
END $$;
--> statement-breakpoint
GRANT ehrconnect_tenant, ehrconnect_system TO CURRENT_USER;
--> statement-breakpoint
GRANT USAGE ON SCHEMA public TO ehrconnect_tenant, ehrconnect_system;
--> statement-breakpoint
CREATE FUNCTION app_org_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('app.org_id', true), '')::uuid $$;
--> statement-breakpoint
CREATE FUNCTION app_user_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('app.user_id', true), '')::uuid $$;
