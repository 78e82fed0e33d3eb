CREATE TABLE "grants" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"integration_id" uuid NOT NULL,
	"status" varchar(20) NOT NULL,
	"tokens" jsonb,
	"bound_to" text NOT NULL,
	"scopes_asked" jsonb NOT NULL,
	"scopes_granted" jsonb NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"refresh_expires_at" timestamp (3) with time zone,
	"refreshable" boolean NOT NULL,
	"next_refresh_at" timestamp (3) with time zone,
	"version" integer DEFAULT 1 NOT NULL,
	"refresh_by" uuid,
	"refresh_started_at" timestamp (3) with time zone,
	"refresh_until" timestamp (3) with time zone,
	"refreshed_at" timestamp (3) with time zone,
	"last_error" text,
	"warned_days" integer,
	"connected_by" uuid,
	"connected_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "grants_integration" UNIQUE("integration_id"),
	CONSTRAINT "grants_status" CHECK ("grants"."status" in ('connected', 'reconnect'))
);
--> statement-breakpoint
ALTER TABLE "grants" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "oauth_states" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"state_hash" text NOT NULL,
	"user_id" uuid NOT NULL,
	"integration_id" uuid NOT NULL,
	"sealed" jsonb NOT NULL,
	"browser_hash" text NOT NULL,
	"bound_to" text NOT NULL,
	"redirect_uri" text NOT NULL,
	"return_to" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "oauth_states_hash" UNIQUE("state_hash")
);
--> statement-breakpoint
ALTER TABLE "oauth_states" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "grants" ADD CONSTRAINT "grants_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "grants" ADD CONSTRAINT "grants_of_integration" FOREIGN KEY ("org_id","integration_id") REFERENCES "public"."integrations"("org_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "oauth_states" ADD CONSTRAINT "oauth_states_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "oauth_states" ADD CONSTRAINT "oauth_states_of_integration" FOREIGN KEY ("org_id","integration_id") REFERENCES "public"."integrations"("org_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "grants_to_refresh" ON "grants" USING btree ("next_refresh_at") WHERE next_refresh_at is not null;--> statement-breakpoint
CREATE INDEX "oauth_states_expired" ON "oauth_states" USING btree ("expires_at");--> statement-breakpoint
CREATE POLICY "tenant" ON "grants" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "grants" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "tenant" ON "oauth_states" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "oauth_states" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);