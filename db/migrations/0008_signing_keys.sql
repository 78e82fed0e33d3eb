CREATE TABLE "signing_keys" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"kid" varchar(64) NOT NULL,
	"algorithm" varchar(10) NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"private_key" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_by" uuid DEFAULT app_user_id(),
	"retired_at" timestamp (3) with time zone,
	CONSTRAINT "signing_keys_org_kid" UNIQUE("org_id","kid"),
	CONSTRAINT "signing_keys_algorithm" CHECK ("signing_keys"."algorithm" in ('RS384', 'ES384'))
);
--> statement-breakpoint
ALTER TABLE "signing_keys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "tenant" ON "signing_keys" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "signing_keys" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);