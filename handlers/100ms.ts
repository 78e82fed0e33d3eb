import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { Id, nextOf, pageOf, Paging } from "./100ms-paging.ts";
import { hmsRecordings } from "./100ms-recordings.ts";
import { signHms } from "./100ms-tokens.ts";
import { hmsVisits } from "./100ms-visits.ts";
import {
  confirmHms,
  hmsEventTypes,
  hmsVerifier,
  readHmsEvents,
  secretHeader,
} from "./100ms-webhooks.ts";
import { defineVendor, operation } from "./define.ts";
import { checkbox, number, password, select, type Step, text, type Values } from "./fields.ts";

const role = { pattern: "^[A-Za-z0-9_.-]{1,50}$", message: "A role is one word" };

const steps = [
  {
    id: "credentials",
    title: "Workspace",
    fields: {
      appAccessKey: text({
        label: "App access key",
        help: "100ms dashboard, Developer, Access credentials.",
        helpUrl: "https://dashboard.100ms.live/developer",
        pattern: "^[0-9a-f]{24}$",
        message: "An app access key is 24 hexadecimal digits",
        example: "5ff5881b80b66969e1fb35f6",
      }),
      appSecret: password({
        label: "App secret",
        help: "Beside the app access key. It signs the tokens that let people into a room.",
        helpUrl: "https://dashboard.100ms.live/developer",
        min: 20,
        example: "example_app_secret_000000000000000000000000000000",
      }),
    },
  },
  {
    id: "rooms",
    title: "Rooms",
    fields: {
      templateId: text({
        label: "Template ID",
        required: false,
        help: "100ms dashboard, Templates, your template. It decides what the roles may do; the workspace's default template serves where it is left out.",
        helpUrl: "https://dashboard.100ms.live/templates",
        pattern: "^[0-9a-f]{24}$",
        message: "A template ID is 24 hexadecimal digits",
        example: "63188115d11d6db790c73c60",
      }),
      hostRole: text({
        label: "Role of a host",
        required: false,
        help: "The name, in the template, of the role that clinicians join in; “host” unless given.",
        example: "host",
        ...role,
      }),
      guestRole: text({
        label: "Role of a guest",
        required: false,
        help: "The name, in the template, of the role that patients join in; “guest” unless given.",
        example: "guest",
        ...role,
      }),
      subdomain: text({
        label: "Subdomain",
        required: false,
        placeholder: "riverside-videoconf-1234",
        help: "The first part of your prebuilt links, before .app.100ms.live. With it, room codes come with a link.",
        helpUrl: "https://dashboard.100ms.live/templates",
        pattern: "^[a-z0-9-]{1,63}$",
        message: "A subdomain is small letters, digits and hyphens",
        example: "riverside-videoconf-1234",
      }),
      region: select({
        label: "Region",
        required: false,
        help: "Where media of new rooms goes through; else where the template says.",
        options: [
          { value: "auto", label: "As the template says" },
          { value: "us", label: "United States" },
          { value: "eu", label: "European Union" },
          { value: "in", label: "India" },
        ],
        example: "us",
      }),
      maxDuration: number({
        label: "Longest visit, in minutes",
        required: false,
        help: "A session ends by itself after it; 100ms takes 2 minutes to 12 hours.",
        min: 2,
        max: 720,
        message: "A visit lasts 2 to 720 minutes",
        example: 60,
      }),
      recordingEnabled: checkbox({
        label: "Record every visit",
        help: "Of new rooms; else as the template says, or when a recording is started.",
        example: false,
      }),
      transcriptionEnabled: checkbox({
        label: "Transcribe recordings",
        help: "A transcript and a summary of each recording that is started from here.",
        example: false,
      }),
    },
  },
  {
    id: "webhooks",
    title: "Webhooks",
    fields: {
      webhookSecret: password({
        label: "Secret header",
        required: false,
        help: `100ms signs nothing, but sends a header of your choice. Choose a long random text, and set it there as the value of ${secretHeader}.`,
        helpUrl: "https://dashboard.100ms.live/developer",
        pattern: "^[\\x21-\\x7e]{16,200}$",
        message: "At least 16 letters, digits and signs, without spaces",
        example: "example-webhook-secret-0000",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const Template = z.object({
  id: z.string(),
  name: z.string(),
  customerId: z.string().optional(),
  roles: z.record(z.string(), z.unknown()).nullish(),
});

const Room = z.object({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  description: z.string().nullish(),
  template_id: z.string().nullish(),
  region: z.string().nullish(),
  created_at: z.string().nullish(),
});
const RoomView = z.object({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  description: z.string().optional(),
  template: z.string().optional(),
  region: z.string().optional(),
  createdAt: z.string().optional(),
});
const roomView = (room: z.output<typeof Room>): z.input<typeof RoomView> => ({
  id: room.id,
  name: room.name,
  enabled: room.enabled,
  description: room.description || undefined,
  template: room.template_id || undefined,
  region: room.region || undefined,
  createdAt: room.created_at ?? undefined,
});

/** 100ms takes letters, digits and . - : _ only. */
const plainName = (name: string) => name.replaceAll(/[^A-Za-z0-9.\-:_]+/g, "-");
const suffix = () => crypto.randomUUID().replaceAll("-", "").slice(0, 12);

const RoomCode = z.object({ code: z.string(), role: z.string(), enabled: z.boolean() });

const roomId = "631b2654f771854d9bf633df";
const exampleRoom = {
  id: roomId,
  name: "visit-42",
  enabled: true,
  description: "",
  customer_id: "627cdddff2e4e30487862ad1",
  template_id: "63188115d11d6db790c73c60",
  region: "us",
  created_at: "2026-11-23T12:00:00.000Z",
};
const exampleView = {
  id: roomId,
  name: "visit-42",
  enabled: true,
  template: "63188115d11d6db790c73c60",
  region: "us",
  createdAt: "2026-11-23T12:00:00.000Z",
};

export const vendor = defineVendor({
  name: "100ms",
  category: "telehealth",
  description:
    "Video visits with rooms, roles, room codes, recording and transcripts; a HIPAA workspace is offered.",
  website: "https://www.100ms.live",
  documentation: "https://www.100ms.live/docs/server-side/v2/how-to-guides/make-api-calls",
  keywords: ["video", "visit", "room", "telehealth", "recording", "transcript"],
  featured: true,
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.100ms.live/v2" },
    production: { baseUrl: "https://api.100ms.live/v2" },
  },
  steps,
  formerly: {
    appId: "appAccessKey",
    apiEndpoint: "api_endpoint",
    defaultRegion: "region",
    // What people may do in a room is decided by the template's roles.
    chatEnabled: null,
    screenShareEnabled: null,
    virtualBackgroundEnabled: null,
    waitingRoomEnabled: null,
    endToEndEncryption: null,
    webhookUrl: null,
  },
  auth: (values) => ({
    kind: "signed_jwt",
    token: (now) => signHms(values, "management", { now, seconds: 900 }),
  }),
  failure: ({ status, body }) => {
    if (status !== 429) return undefined;
    const said = z.object({ message: z.string() }).safeParse(body).data?.message;
    const seconds = /retry after (\d{1,4}) seconds/.exec(said ?? "")?.[1];
    return seconds ? { retryAfter: Number(seconds) } : undefined;
  },
  async test(api, { templateId, hostRole = "host", guestRole = "guest", appAccessKey }) {
    // Every workspace has a template at least: a reply without a list is not 100ms'.
    const list = z.object({ data: z.array(Template) });
    const found = templateId
      ? await api.get("/templates/{templateId}", Template)
      : (await api.get("/templates", list, { query: { limit: 10 } })).data[0];
    const roles = Object.keys(found?.roles ?? {});
    const lacking = [hostRole, guestRole].filter((name) => !roles.includes(name));
    if (templateId && lacking.length)
      throw new VendorFailure(
        "invalid_request",
        `The template has no role named ${lacking.join(" and none named ")}`,
      );
    return {
      account: found?.customerId
        ? `Workspace ${found.customerId}`
        : `App ${appAccessKey.slice(-4)}`,
      checked: [
        "key and secret accepted",
        "templates can be read",
        ...(templateId ? [`template has the roles ${hostRole} and ${guestRole}`] : []),
      ],
    };
  },
  operations: {
    createRoom: operation({
      title: "Create a video room",
      description:
        "100ms hands out, and configures anew, a room that has the name already: two visits would share it. So something unguessable is added to the name, unless `reuse` asks for just that. Other signs than letters, digits and . - : _ become hyphens.",
      effect: "write",
      idempotent: true,
      capability: "video.room.create",
      params: z.object({
        name: z.string().min(1).max(100),
        description: z.string().max(500).optional(),
        reuse: z.boolean().default(false),
        template: Id.optional(),
        record: z.boolean().optional(),
        maxMinutes: z.number().int().min(2).max(720).optional(),
      }),
      result: RoomView,
      example: {
        params: { name: "visit-42", reuse: true },
        wire: [{ request: "POST /v2/rooms", reply: exampleRoom }],
        result: exampleView,
      },
      async run(api, params, values: Config) {
        const name = plainName(params.name);
        const template = params.template ?? values.templateId;
        const minutes = params.maxMinutes ?? values.maxDuration;
        const region = values.region === "auto" ? undefined : values.region;
        return roomView(
          await api.post("/rooms", Room, {
            json: {
              name: params.reuse ? name : `${name}.${suffix()}`,
              ...(params.description && { description: params.description }),
              ...(template && { template_id: template }),
              ...(region && { region }),
              ...(minutes && { max_duration_seconds: minutes * 60 }),
              ...((params.record ?? values.recordingEnabled) && {
                recording_info: { enabled: true },
              }),
            },
          }),
        );
      },
    }),
    getRoom: operation({
      title: "Read a video room",
      effect: "read",
      params: z.object({ id: Id }),
      result: RoomView,
      example: {
        params: { id: roomId },
        wire: [{ request: `GET /v2/rooms/${roomId}`, reply: exampleRoom }],
        result: exampleView,
      },
      run: async (api, { id }) => roomView(await api.get("/rooms/{id}", Room, { path: { id } })),
    }),
    listRooms: operation({
      title: "List video rooms, newest first",
      effect: "read",
      params: z.object({
        name: z.string().max(200).optional(),
        enabled: z.boolean().optional(),
        ...Paging,
      }),
      result: z.object({ rooms: z.array(RoomView), next: z.string().optional() }),
      example: {
        params: { name: "visit-42" },
        wire: [
          {
            request: "GET /v2/rooms?name=visit-42&limit=20",
            reply: { limit: 20, data: [exampleRoom], last: roomId },
          },
        ],
        result: { rooms: [exampleView] },
      },
      async run(api, { name, enabled, limit, cursor }) {
        const query = { name, enabled, limit, start: cursor };
        const page = await api.get("/rooms", pageOf(Room), { query });
        return { rooms: page.data.map(roomView), ...nextOf(limit, page) };
      },
    }),
    setRoomEnabled: operation({
      title: "Close a video room, or open it again",
      description: "Nobody can join a closed room; those who are in it stay until it is ended.",
      effect: "write",
      idempotent: true,
      params: z.object({ id: Id, enabled: z.boolean() }),
      result: RoomView,
      example: {
        params: { id: roomId, enabled: false },
        wire: [{ request: `POST /v2/rooms/${roomId}`, reply: { ...exampleRoom, enabled: false } }],
        result: { ...exampleView, enabled: false },
      },
      run: async (api, { id, enabled }) =>
        roomView(await api.post("/rooms/{id}", Room, { path: { id }, json: { enabled } })),
    }),
    createRoomCodes: operation({
      title: "Get the codes by which people join a video room",
      description: "One for each role; with a link where the subdomain is configured.",
      effect: "write",
      idempotent: true,
      params: z.object({ room: Id }),
      result: z.object({
        codes: z.array(
          z.object({
            code: z.string(),
            role: z.string(),
            enabled: z.boolean(),
            url: z.string().optional(),
          }),
        ),
      }),
      example: {
        params: { room: roomId },
        wire: [
          {
            request: `POST /v2/room-codes/room/${roomId}`,
            reply: {
              data: [{ code: "wpi-srjb-wer", room_id: roomId, role: "host", enabled: true }],
            },
          },
        ],
        result: {
          codes: [
            {
              code: "wpi-srjb-wer",
              role: "host",
              enabled: true,
              url: "https://riverside-videoconf-1234.app.100ms.live/meeting/wpi-srjb-wer",
            },
          ],
        },
      },
      async run(api, { room }, { subdomain }: Config) {
        const call = { path: { room }, json: {} };
        const { data } = await api.post("/room-codes/room/{room}", pageOf(RoomCode), call);
        return {
          codes: data.map(({ code, role, enabled }) => ({
            code,
            role,
            enabled,
            ...(subdomain && {
              url: `https://${subdomain}.app.100ms.live/meeting/${encodeURIComponent(code)}`,
            }),
          })),
        };
      },
    }),
    createToken: operation({
      title: "Let somebody into a video room",
      description: "Signed here, without a call. The roles are those of the configuration.",
      effect: "read",
      capability: "video.token.create",
      params: z.object({
        room: Id,
        user: z.string().min(1).max(200),
        role: z.enum(["host", "guest"]).default("guest"),
        ttlSeconds: z.number().int().min(60).max(86_400).default(3600),
      }),
      result: z.object({
        token: z.string(),
        room: z.string(),
        role: z.string(),
        expiresAt: z.string(),
      }),
      example: {
        params: { room: roomId, user: "patient-1" },
        wire: [],
        result: {
          token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…",
          room: roomId,
          role: "guest",
          expiresAt: "20…",
        },
      },
      async run(_api, { room, user, role: as, ttlSeconds }, values: Config) {
        const now = Math.floor(Date.now() / 1000);
        const role = as === "host" ? (values.hostRole ?? "host") : (values.guestRole ?? "guest");
        const about = { room_id: room, user_id: user, role };
        return {
          token: await signHms(values, "app", { now, seconds: ttlSeconds, ...about }),
          room,
          role,
          expiresAt: new Date((now + ttlSeconds) * 1000).toISOString(),
        };
      },
    }),
    ...hmsVisits,
    ...hmsRecordings,
  },
  webhooks: {
    verify: hmsVerifier,
    events: readHmsEvents,
    types: hmsEventTypes,
    failures: hmsEventTypes.filter((type) => /\.(?:failure|failed)$/.test(type)),
    setup: [
      "Open Developer in the 100ms dashboard: https://dashboard.100ms.live/developer",
      "Under Webhooks enter {url} as the address; the token in it must stay secret.",
      `Add a header ${secretHeader} there with a long random text, and enter the same text here.`,
      "100ms signs nothing: what an event says is read back from the API before it is believed.",
    ],
    confirm: confirmHms,
  },
  links: [
    { title: "Dashboard", url: "https://dashboard.100ms.live/" },
    { title: "Status", url: "https://status.100ms.live/" },
    {
      title: "HIPAA",
      url: "https://www.100ms.live/docs/get-started/v2/get-started/security-and-privacy/HIPAA-compliance/HIPAA-workspace",
    },
  ],
});
