CREATE TABLE "deliveries" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"event_id" uuid NOT NULL,
	"destination_id" uuid NOT NULL,
	"event_seq" bigint NOT NULL,
	"state" varchar(20) DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"skips" integer DEFAULT 0 NOT NULL,
	"replays" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_status" integer,
	"last_cause" varchar(40),
	"last_latency_ms" integer,
	"delivered_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deliveries_event_destination" UNIQUE("event_id","destination_id"),
	CONSTRAINT "deliveries_org_id" UNIQUE("org_id","id"),
	CONSTRAINT "deliveries_state" CHECK ("deliveries"."state" in ('pending', 'delivering', 'failed', 'parked', 'delivered', 'dead', 'canceled'))
);
--> statement-breakpoint
ALTER TABLE "deliveries" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "delivery_attempts" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"delivery_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"probe" boolean DEFAULT false NOT NULL,
	"replay" boolean DEFAULT false NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (3) with time zone,
	"status" integer,
	"latency_ms" integer,
	"cause" varchar(40),
	"excerpt" jsonb,
	CONSTRAINT "delivery_attempts_number" UNIQUE("delivery_id","number")
);
--> statement-breakpoint
ALTER TABLE "delivery_attempts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "destinations" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"name" varchar(200) NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"url" text NOT NULL,
	"event_types" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"vendor_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"integration_ids" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"sealed" jsonb,
	"headers" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"secret_hint" varchar(20) DEFAULT '' NOT NULL,
	"previous_secret_until" timestamp (3) with time zone,
	"concurrency" integer DEFAULT 5 NOT NULL,
	"status" varchar(20) DEFAULT 'enabled' NOT NULL,
	"status_reason" text,
	"breaker" varchar(20) DEFAULT 'closed' NOT NULL,
	"breaker_since" timestamp (3) with time zone,
	"consecutive_failures" integer DEFAULT 0 NOT NULL,
	"failed_probes" integer DEFAULT 0 NOT NULL,
	"probe_at" timestamp (3) with time zone,
	"slow_level" integer DEFAULT 0 NOT NULL,
	"resume_at" timestamp (3) with time zone,
	"last_success_at" timestamp (3) with time zone,
	"last_failure_at" timestamp (3) with time zone,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_by" uuid,
	"updated_by" uuid,
	CONSTRAINT "destinations_org_id" UNIQUE("org_id","id"),
	CONSTRAINT "destinations_status" CHECK ("destinations"."status" in ('enabled', 'paused', 'disabled', 'deleted')),
	CONSTRAINT "destinations_breaker" CHECK ("destinations"."breaker" in ('closed', 'open', 'draining')),
	CONSTRAINT "destinations_concurrency" CHECK ("destinations"."concurrency" between 1 and 5)
);
--> statement-breakpoint
ALTER TABLE "destinations" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "event_retention" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" uuid DEFAULT app_org_id() NOT NULL,
	"vendor_id" varchar(100) NOT NULL,
	"days" integer NOT NULL,
	CONSTRAINT "event_retention_vendor" UNIQUE("org_id","vendor_id"),
	CONSTRAINT "event_retention_days" CHECK ("event_retention"."days" between 0 and 365)
);
--> statement-breakpoint
ALTER TABLE "event_retention" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
DROP INDEX "events_recent";--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "verified_at" timestamp (3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "seq" bigint NOT NULL GENERATED ALWAYS AS IDENTITY (sequence name "events_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1);--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "purge_at" timestamp (3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "process_at" timestamp (3) with time zone DEFAULT now() + interval '2 minutes' NOT NULL;--> statement-breakpoint
ALTER TABLE "integrations" ADD COLUMN "failed_calls" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_org_id" UNIQUE("org_id","id");--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_event" FOREIGN KEY ("org_id","event_id") REFERENCES "public"."events"("org_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_destination" FOREIGN KEY ("org_id","destination_id") REFERENCES "public"."destinations"("org_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_delivery" FOREIGN KEY ("org_id","delivery_id") REFERENCES "public"."deliveries"("org_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "destinations" ADD CONSTRAINT "destinations_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "event_retention" ADD CONSTRAINT "event_retention_org_id_organizations_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deliveries_in_order" ON "deliveries" USING btree ("destination_id","event_seq") WHERE state in ('pending', 'delivering', 'failed', 'parked');--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "deliveries" USING btree ("destination_id","next_attempt_at") WHERE state in ('pending', 'delivering', 'failed', 'parked');--> statement-breakpoint
CREATE INDEX "deliveries_recent" ON "deliveries" USING btree ("org_id","event_seq");--> statement-breakpoint
CREATE INDEX "events_to_process" ON "events" USING btree ("process_at") WHERE status = 'received';--> statement-breakpoint
CREATE INDEX "events_to_purge" ON "events" USING btree ("purge_at") WHERE payload is not null;--> statement-breakpoint
CREATE INDEX "events_recent" ON "events" USING btree ("org_id","seq");--> statement-breakpoint
CREATE POLICY "tenant" ON "deliveries" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "deliveries" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "tenant" ON "delivery_attempts" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "delivery_attempts" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "tenant" ON "destinations" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "destinations" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "tenant" ON "event_retention" AS PERMISSIVE FOR ALL TO "ehrconnect_tenant" USING (org_id = app_org_id()) WITH CHECK (org_id = app_org_id());--> statement-breakpoint
CREATE POLICY "system" ON "event_retention" AS PERMISSIVE FOR ALL TO "ehrconnect_system" USING (true) WITH CHECK (true);