ALTER TABLE "events" ALTER COLUMN "purge_at" SET DEFAULT now() + interval '30 days';--> statement-breakpoint
CREATE INDEX "deliveries_by_state" ON "deliveries" USING btree ("destination_id","state","event_seq");--> statement-breakpoint
CREATE INDEX "events_without_payload" ON "events" USING btree ("received_at") WHERE payload is null;