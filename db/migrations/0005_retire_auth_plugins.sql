DROP TABLE "sso_providers" CASCADE;--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "config_id";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "prefix";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "refill_interval";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "refill_amount";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "last_refill_at";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "rate_limit_enabled";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "rate_limit_time_window";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "rate_limit_max";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "request_count";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "remaining";--> statement-breakpoint
ALTER TABLE "api_keys" DROP COLUMN "metadata";--> statement-breakpoint
ALTER TABLE "rate_limits" DROP COLUMN "last_request";