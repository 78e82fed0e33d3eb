import * as z from "zod";

import { type VendorCause, VendorFailure } from "../problem.ts";
import { defineVendor, operation } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { oauth, password, type Step, text, type Values } from "./fields.ts";
import { urlVerification } from "./handshake.ts";
import { bytesOf, formOf, header, hmac, type Incoming, jsonOf, unixSeconds } from "./signature.ts";

const steps = [
  {
    id: "credentials",
    title: "Access",
    fields: {
      botToken: password({
        label: "Bot user OAuth token",
        placeholder: "xoxb-…",
        help: "Your app, OAuth & Permissions. Add the bot scopes chat:write, channels:read, groups:read, im:write, users:read and users:read.email, install the app to your workspace, and copy the token.",
        helpUrl: "https://api.slack.com/apps",
        pattern: "^xoxb-[A-Za-z0-9-]+$",
        message: "A bot token starts xoxb-",
        example: "xoxb-000000000000-000000000000-exampleexampleexample000",
      }),
      clientId: text({
        label: "Client ID",
        placeholder: "0000000000.0000000000",
        help: "Your app, Basic Information, App Credentials. Under OAuth & Permissions, add the redirect URL below.",
        helpUrl: "https://api.slack.com/apps",
        pattern: "^\\d+\\.\\d+$",
        message: "A client ID is two numbers with a point between them",
        example: "000000000000.000000000000",
      }),
      clientSecret: password({
        label: "Client secret",
        help: "Beside the client ID.",
        helpUrl: "https://api.slack.com/apps",
        pattern: "^[0-9A-Za-z]{20,}$",
        message: "A client secret is letters and digits only",
        example: "slack0client0secret0123456789abcd",
      }),
      connect: oauth({
        label: "Connect with Slack",
        help: "Saved first, then connected: you choose the workspace at Slack, agree, and come back here.",
        helpUrl: "https://docs.slack.dev/authentication/installing-with-oauth",
      }),
      defaultChannel: text({
        label: "Default channel",
        required: false,
        placeholder: "C0123456789",
        help: "Channel, its name, About, at the bottom: Channel ID. Invite the app to it with /invite. Used for messages that name no channel.",
        helpUrl: "https://slack.com/help/articles/221769328",
        pattern: "^([CGD][A-Z0-9]{8,}|#[^\\s#]{1,80})$",
        message: "A channel is an id such as C0123456789, or a name such as #front-desk",
        example: "C0123456789",
      }),
    },
    oneOf: [
      { label: "Bot token", fields: ["botToken"] },
      { label: "Connect with Slack", fields: ["clientId", "clientSecret", "connect"] },
    ],
  },
  {
    id: "events",
    title: "Events",
    fields: {
      signingSecret: password({
        label: "Signing secret",
        required: false,
        help: "Your app, Basic Information, App Credentials, Signing Secret. Needed to receive events.",
        helpUrl: "https://api.slack.com/apps",
        pattern: "^[0-9A-Za-z]{20,}$",
        message: "A signing secret is letters and digits only",
        example: "slack0signing0secret0123456789ab",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const botScopes = [
  "chat:write",
  "channels:read",
  "groups:read",
  "im:write",
  "users:read",
  "users:read.email",
];

const posting: [VendorCause, string] = [
  "forbidden",
  "The workspace does not let the app post there",
];

/** Slack says no with 200 and one of these: docs.slack.dev, each method's errors. */
const failures: Record<string, [VendorCause, string?]> = {
  invalid_auth: ["credentials_rejected"],
  not_authed: ["credentials_rejected"],
  account_inactive: ["credentials_rejected", "The Slack app or its bot user was removed"],
  token_revoked: ["credentials_rejected", "The Slack token was revoked"],
  token_expired: ["credentials_expired"],
  invalid_refresh_token: ["credentials_expired"],
  invalid_code: ["credentials_expired", "Slack's code was used already or is too old"],
  code_already_used: ["credentials_expired", "Slack's code was used already or is too old"],
  invalid_client_id: ["credentials_rejected"],
  bad_client_secret: ["credentials_rejected"],
  bad_redirect_uri: ["invalid_request", "Slack does not know this site's redirect URL"],
  missing_scope: ["forbidden", "The Slack app lacks a scope: add it and install the app again"],
  not_allowed_token_type: ["forbidden", "This needs a bot token"],
  access_denied: ["forbidden"],
  ekm_access_denied: ["forbidden"],
  org_login_required: ["forbidden"],
  not_in_channel: ["forbidden", "The Slack app is not in that channel: invite it with /invite"],
  restricted_action: posting,
  restricted_action_read_only_channel: posting,
  restricted_action_thread_only_channel: posting,
  restricted_action_non_threadable_channel: posting,
  no_permission: ["forbidden"],
  enterprise_is_restricted: ["forbidden"],
  user_not_visible: ["forbidden"],
  cant_update_message: ["forbidden", "The Slack app may change only what it posted itself"],
  cant_delete_message: ["forbidden", "The Slack app may delete only what it posted itself"],
  edit_window_closed: ["forbidden", "The workspace does not let messages be changed so late"],
  compliance_exports_prevent_deletion: ["forbidden"],
  channel_not_found: ["not_found", "The Slack app cannot see that channel"],
  users_not_found: ["not_found"],
  user_not_found: ["not_found"],
  message_not_found: ["not_found"],
  ratelimited: ["rate_limited"],
  rate_limited: ["rate_limited"],
  internal_error: ["vendor_unavailable"],
  fatal_error: ["vendor_unavailable"],
  service_unavailable: ["vendor_unavailable"],
  request_timeout: ["vendor_unavailable"],
  team_added_to_org: ["vendor_unavailable"],
};

const Blocks = z.array(z.looseObject({ type: z.string() })).max(50);
const json = (value: unknown) => (value === undefined ? undefined : JSON.stringify(value));

function channelOf(channel: string | undefined, { defaultChannel }: Config) {
  const chosen = channel ?? defaultChannel;
  if (chosen) return chosen;
  throw notConfigured(
    "Give `channel`, or set a default channel in the integration's configuration",
  );
}

const UserReply = z.object({
  user: z.object({
    id: z.string(),
    name: z.string().nullish(),
    real_name: z.string().nullish(),
    profile: z.object({ email: z.string().nullish() }).nullish(),
  }),
});

const stamp = (incoming: Incoming) => header(incoming, "x-slack-request-timestamp");

const Inner = z.object({ type: z.string() });
const EventBody = z.object({
  type: z.string(),
  event_id: z.string().optional(),
  event_time: z.number().optional(),
  event: Inner.optional(),
});
/** Events are JSON; slash commands and interactions are forms. */
function readEvents(incoming: Incoming) {
  const event = EventBody.safeParse(jsonOf(incoming));
  if (event.success) {
    const { event_id: id, event_time: at, type, event: inner } = event.data;
    return [
      {
        id,
        type: inner?.type ?? type,
        ...(at && { occurredAt: new Date(at * 1000).toISOString() }),
      },
    ];
  }
  const form = formOf(incoming);
  const payload = form.get("payload");
  if (payload) return [{ type: parseType(payload) }];
  if (form.has("command")) return [{ id: form.get("trigger_id") ?? undefined, type: "command" }];
  return [{ type: "other" }];
}
function parseType(payload: string) {
  try {
    return Inner.parse(JSON.parse(payload)).type;
  } catch {
    return "other";
  }
}

const exampleUser = {
  id: "U0123456789",
  name: "nora",
  real_name: "Nora Nurse",
  profile: { email: "nora@clinic.example.com" },
};

export const vendor = defineVendor({
  name: "Slack",
  category: "communication",
  description: "Messages to your team: alerts, hand-offs and daily summaries in the right channel.",
  website: "https://slack.com",
  documentation: "https://docs.slack.dev",
  keywords: ["chat", "message", "channel", "alert", "team", "notification"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://slack.com" },
    production: { baseUrl: "https://slack.com" },
  },
  steps,
  auth: ({ botToken, clientId = "", clientSecret }) =>
    botToken
      ? { kind: "bearer", token: botToken }
      : {
          kind: "authorization_code",
          authorizeUrl: "https://slack.com/oauth/v2/authorize",
          tokenUrl: "https://slack.com/api/oauth.v2.access",
          revokeUrl: "https://slack.com/api/auth.revoke",
          // docs.slack.dev/reference/methods/auth.revoke: the token revokes itself.
          revocation: ({ accessToken }) => ({ form: { token: accessToken } }),
          clientId,
          clientSecret,
          style: "basic",
          scopes: botScopes,
          scopeSeparator: ",",
          // Slack takes PKCE only of public clients, which get no bot token.
          pkce: false,
        },
  failure: ({ body }) => {
    const reply = z.object({ ok: z.literal(false), error: z.string() }).safeParse(body);
    if (!reply.success) return undefined;
    const code = reply.data.error;
    const [cause = "invalid_request", message] = failures[code] ?? [];
    return { cause, code, ...(message && { message }) };
  },
  async test(api) {
    const answer = await api.send("GET", "/api/auth.test");
    const Identity = z.object({
      ok: z.literal(true),
      team: z.string().nullish(),
      team_id: z.string().nullish(),
      user: z.string().nullish(),
    });
    const { success, data } = Identity.safeParse(await answer.json().catch(() => undefined));
    if (!success) throw new VendorFailure("unexpected_reply", "Slack's answer was not understood");
    const scopes = answer.headers.get("x-oauth-scopes")?.split(/,\s*/);
    if (scopes && !scopes.includes("chat:write"))
      throw new VendorFailure(
        "forbidden",
        "The Slack app lacks the scope chat:write: add it and install the app again",
      );
    return {
      account: `${data.team ?? data.team_id ?? "Slack"}${data.user ? ` (as ${data.user})` : ""}`,
      checked: scopes ? ["token accepted", "may post messages"] : ["token accepted"],
    };
  },
  operations: {
    postMessage: operation({
      title: "Post a message",
      effect: "write",
      capability: "message.post",
      params: z.object({
        text: z.string().min(1).max(4000),
        channel: z.string().min(1).max(100).optional(),
        /** Block Kit; `text` is then what notifications show. */
        blocks: Blocks.optional(),
        /** The `ts` of the message to answer in its thread. */
        thread: z.string().optional(),
      }),
      result: z.object({ id: z.string(), channel: z.string() }),
      example: {
        params: { text: "Room 3 is ready." },
        wire: [
          {
            request: "POST /api/chat.postMessage",
            reply: { ok: true, channel: "C0123456789", ts: "1795435200.000100" },
          },
        ],
        result: { id: "1795435200.000100", channel: "C0123456789" },
      },
      async run(api, { text: said, channel, blocks, thread }, values: Config) {
        const reply = z.object({ ts: z.string(), channel: z.string() });
        const sent = await api.post("/api/chat.postMessage", reply, {
          form: {
            channel: channelOf(channel, values),
            text: said,
            blocks: json(blocks),
            thread_ts: thread,
            unfurl_links: false,
          },
        });
        return { id: sent.ts, channel: sent.channel };
      },
    }),
    updateMessage: operation({
      title: "Change a message",
      effect: "write",
      idempotent: true,
      params: z.object({
        id: z.string().min(1),
        channel: z.string().min(1),
        text: z.string().min(1).max(4000),
        blocks: Blocks.optional(),
      }),
      result: z.object({ id: z.string(), channel: z.string() }),
      example: {
        params: { id: "1795435200.000100", channel: "C0123456789", text: "Room 3 is taken." },
        wire: [
          {
            request: "POST /api/chat.update",
            reply: { ok: true, channel: "C0123456789", ts: "1795435200.000100" },
          },
        ],
        result: { id: "1795435200.000100", channel: "C0123456789" },
      },
      async run(api, { id, channel, text: said, blocks }) {
        const reply = z.object({ ts: z.string(), channel: z.string() });
        const sent = await api.post("/api/chat.update", reply, {
          form: { ts: id, channel, text: said, blocks: json(blocks) },
        });
        return { id: sent.ts, channel: sent.channel };
      },
    }),
    deleteMessage: operation({
      title: "Delete a message",
      effect: "write",
      params: z.object({ id: z.string().min(1), channel: z.string().min(1) }),
      result: z.object({ id: z.string(), deleted: z.literal(true) }),
      example: {
        params: { id: "1795435200.000100", channel: "C0123456789" },
        wire: [
          {
            request: "POST /api/chat.delete",
            reply: { ok: true, channel: "C0123456789", ts: "1795435200.000100" },
          },
        ],
        result: { id: "1795435200.000100", deleted: true },
      },
      async run(api, { id, channel }) {
        await api.post("/api/chat.delete", z.object({}), { form: { ts: id, channel } });
        return { id, deleted: true as const };
      },
    }),
    scheduleMessage: operation({
      title: "Post a message later",
      effect: "write",
      params: z.object({
        text: z.string().min(1).max(4000),
        channel: z.string().min(1).max(100).optional(),
        /** At most 120 days ahead. */
        at: z.iso.datetime({ offset: true }),
      }),
      result: z.object({ id: z.string(), channel: z.string() }),
      example: {
        params: { text: "Huddle in five minutes.", at: "2026-11-24T08:25:00Z" },
        wire: [
          {
            request: "POST /api/chat.scheduleMessage",
            reply: { ok: true, channel: "C0123456789", scheduled_message_id: "Q0123456789" },
          },
        ],
        result: { id: "Q0123456789", channel: "C0123456789" },
      },
      async run(api, { text: said, channel, at }, values: Config) {
        const reply = z.object({ scheduled_message_id: z.string(), channel: z.string() });
        const sent = await api.post("/api/chat.scheduleMessage", reply, {
          form: {
            channel: channelOf(channel, values),
            text: said,
            post_at: Math.floor(Date.parse(at) / 1000),
          },
        });
        return { id: sent.scheduled_message_id, channel: sent.channel };
      },
    }),
    openDirectMessage: operation({
      title: "Open a direct message",
      description: "With one user or a group of up to eight; post to the channel that it answers.",
      effect: "write",
      idempotent: true,
      params: z.object({
        users: z
          .array(z.string().regex(/^[UW][A-Z0-9]+$/))
          .min(1)
          .max(8),
      }),
      result: z.object({ channel: z.string() }),
      example: {
        params: { users: ["U0123456789"] },
        wire: [
          {
            request: "POST /api/conversations.open",
            reply: { ok: true, channel: { id: "D0123456789" } },
          },
        ],
        result: { channel: "D0123456789" },
      },
      async run(api, { users }) {
        const reply = z.object({ channel: z.object({ id: z.string() }) });
        const { channel } = await api.post("/api/conversations.open", reply, {
          form: { users: users.join(",") },
        });
        return { channel: channel.id };
      },
    }),
    findUserByEmail: operation({
      title: "Find a user by email",
      effect: "read",
      params: z.object({ email: z.email() }),
      result: z.object({ id: z.string(), name: z.string(), email: z.string().optional() }),
      example: {
        params: { email: "nora@clinic.example.com" },
        wire: [
          {
            request: "GET /api/users.lookupByEmail?email=nora%40clinic.example.com",
            reply: { ok: true, user: exampleUser },
          },
        ],
        result: { id: "U0123456789", name: "Nora Nurse", email: "nora@clinic.example.com" },
      },
      async run(api, { email }) {
        const { user } = await api.get("/api/users.lookupByEmail", UserReply, { query: { email } });
        return {
          id: user.id,
          name: user.real_name ?? user.name ?? user.id,
          email: user.profile?.email ?? undefined,
        };
      },
    }),
    listChannels: operation({
      title: "List channels",
      effect: "read",
      params: z.object({
        limit: z.number().int().min(1).max(1000).default(200),
        cursor: z.string().optional(),
      }),
      result: z.object({
        channels: z.array(
          z.object({ id: z.string(), name: z.string(), private: z.boolean(), joined: z.boolean() }),
        ),
        next: z.string().optional(),
      }),
      example: {
        params: { limit: 1 },
        wire: [
          {
            request:
              "GET /api/conversations.list?types=public_channel%2Cprivate_channel&exclude_archived=true&limit=1",
            reply: {
              ok: true,
              channels: [
                { id: "C0123456789", name: "front-desk", is_private: false, is_member: true },
              ],
              response_metadata: { next_cursor: "dGVhbTpDMDYxRkE1UEI=" },
            },
          },
        ],
        result: {
          channels: [{ id: "C0123456789", name: "front-desk", private: false, joined: true }],
          next: "dGVhbTpDMDYxRkE1UEI=",
        },
      },
      async run(api, { limit, cursor }) {
        const Channel = z.object({
          id: z.string(),
          name: z.string().nullish(),
          is_private: z.boolean().nullish(),
          is_member: z.boolean().nullish(),
        });
        const reply = z.object({
          channels: z.array(Channel),
          response_metadata: z.object({ next_cursor: z.string().nullish() }).nullish(),
        });
        const found = await api.get("/api/conversations.list", reply, {
          query: { types: "public_channel,private_channel", exclude_archived: true, limit, cursor },
        });
        return {
          channels: found.channels.map((channel) => ({
            id: channel.id,
            name: channel.name ?? channel.id,
            private: channel.is_private ?? false,
            joined: channel.is_member ?? false,
          })),
          // Slack writes an empty cursor on the last page.
          next: found.response_metadata?.next_cursor || undefined,
        };
      },
    }),
  },
  webhooks: {
    verify: hmac<Config>({
      scheme: 'X-Slack-Signature: HMAC-SHA256 of "v0:<timestamp>:<body>"',
      hash: "SHA-256",
      encoding: "hex",
      secret: ({ signingSecret }) => signingSecret,
      signatures: (incoming) => {
        const signature = header(incoming, "x-slack-signature");
        if (signature === undefined) return undefined;
        return signature.startsWith("v0=") ? [signature.slice(3)] : [];
      },
      timestamp: (incoming) => unixSeconds(stamp(incoming)),
      message: (incoming) => {
        const at = stamp(incoming);
        return at && bytesOf(`v0:${at}:`, incoming.body);
      },
    }),
    secretField: "signingSecret",
    handshake: urlVerification,
    events: readEvents,
    types: [
      "message",
      "app_mention",
      "reaction_added",
      "member_joined_channel",
      "app_uninstalled",
      "tokens_revoked",
      "command",
      "block_actions",
      "view_submission",
    ],
    setup: [
      "Enter the app's signing secret here first: Slack checks the address at once, and signs that check too.",
      "Open your app at https://api.slack.com/apps, Event Subscriptions, switch it on, and enter {url} as Request URL.",
      "Under “Subscribe to bot events” add the events you want, and save.",
      "For buttons and slash commands, enter {url} under Interactivity & Shortcuts and under Slash Commands too.",
    ],
    // A slash command shows whatever else it is answered.
    reply: () => new Response(null, { status: 200 }),
  },
  links: [
    { title: "Your apps", url: "https://api.slack.com/apps" },
    { title: "Status", url: "https://slack-status.com" },
    { title: "Rate limits", url: "https://docs.slack.dev/apis/web-api/rate-limits/" },
  ],
});
