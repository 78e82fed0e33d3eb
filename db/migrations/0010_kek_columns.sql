ALTER TABLE "delivery_attempts" ADD COLUMN "excerpt_kek" text GENERATED ALWAYS AS (excerpt ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "sealed_kek" text GENERATED ALWAYS AS (sealed ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "payload_kek" text GENERATED ALWAYS AS (payload ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "grants" ADD COLUMN "tokens_kek" text GENERATED ALWAYS AS (tokens ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD COLUMN "answer_kek" text GENERATED ALWAYS AS (answer ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "identity_providers" ADD COLUMN "client_secret_kek" text GENERATED ALWAYS AS (client_secret ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "integrations" ADD COLUMN "credentials_kek" text GENERATED ALWAYS AS (credentials ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "oauth_states" ADD COLUMN "sealed_kek" text GENERATED ALWAYS AS (sealed ->> 'kek') STORED;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "private_key_kek" text GENERATED ALWAYS AS (private_key ->> 'kek') STORED;--> statement-breakpoint
CREATE INDEX "delivery_attempts_excerpt_kek" ON "delivery_attempts" USING btree ("excerpt_kek") WHERE "excerpt_kek" is not null;--> statement-breakpoint
CREATE INDEX "destinations_sealed_kek" ON "destinations" USING btree ("sealed_kek") WHERE "sealed_kek" is not null;--> statement-breakpoint
CREATE INDEX "events_payload_kek" ON "events" USING btree ("payload_kek") WHERE "payload_kek" is not null;--> statement-breakpoint
CREATE INDEX "grants_tokens_kek" ON "grants" USING btree ("tokens_kek") WHERE "tokens_kek" is not null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_answer_kek" ON "idempotency_keys" USING btree ("answer_kek") WHERE "answer_kek" is not null;--> statement-breakpoint
CREATE INDEX "identity_providers_client_secret_kek" ON "identity_providers" USING btree ("client_secret_kek") WHERE "client_secret_kek" is not null;--> statement-breakpoint
CREATE INDEX "integrations_credentials_kek" ON "integrations" USING btree ("credentials_kek") WHERE "credentials_kek" is not null;--> statement-breakpoint
CREATE INDEX "oauth_states_sealed_kek" ON "oauth_states" USING btree ("sealed_kek") WHERE "sealed_kek" is not null;--> statement-breakpoint
CREATE INDEX "signing_keys_private_key_kek" ON "signing_keys" USING btree ("private_key_kek") WHERE "private_key_kek" is not null;