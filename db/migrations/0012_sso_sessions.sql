ALTER TABLE "sessions" ADD COLUMN "sso_org_id" uuid;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_sso_org_id_organizations_id_fk" FOREIGN KEY ("sso_org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_active_in_sso_org" CHECK (sso_org_id is null or active_organization_id is null or active_organization_id = sso_org_id);--> statement-breakpoint
DELETE FROM "sessions" WHERE "user_id" IN (SELECT "user_id" FROM "accounts" WHERE "provider_id" LIKE 'sso:%');
