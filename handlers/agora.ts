import * as z from "zod";

import { VendorFailure } from "../problem.ts";
import { agoraChannels } from "./agora-channels.ts";
import { agoraRecordings } from "./agora-recordings.ts";
import { agoraEventTypes, agoraSignature, readAgoraEvents } from "./agora-webhooks.ts";
import type { Api } from "./api.ts";
import { defineVendor, type FailedReply, type Failure, operation } from "./define.ts";
import { checkbox, number, password, select, type Step, text, type Values } from "./fields.ts";
import { equal } from "./signature.ts";

const appId = "970ca35de60c44645bbae8a215061b33";
const hex32 = "^[0-9a-fA-F]{32}$";
const agoraConsole = "https://console.agora.io";
const whenRecording = { field: "recordingEnabled", equals: true } as const;

const steps = [
  {
    id: "project",
    title: "Project",
    fields: {
      appId: text({
        label: "App ID",
        help: "Agora console, Projects, your project.",
        helpUrl: agoraConsole,
        pattern: hex32,
        message: "An App ID is 32 hexadecimal digits",
        example: appId,
      }),
      appCertificate: password({
        label: "Primary certificate",
        help: "On the project's page, under Security. It signs the tokens that let people into a channel.",
        helpUrl: agoraConsole,
        pattern: hex32,
        message: "A certificate is 32 hexadecimal digits",
        example: "5cfd2fd1755d40ecb72977518be15d3b",
      }),
    },
  },
  {
    id: "rest",
    title: "REST API",
    fields: {
      customerId: text({
        label: "Customer ID",
        help: "Agora console, your account's menu, RESTful API, Add a secret.",
        helpUrl: agoraConsole,
        secret: true,
        pattern: "^[0-9a-zA-Z]{16,64}$",
        message: "A customer ID is letters and digits",
        example: "32f2b5f0c6d94ae6a3b0c1d2e3f40516",
      }),
      customerSecret: password({
        label: "Customer secret",
        help: "Shown once, in the file that is downloaded with it.",
        helpUrl: agoraConsole,
        pattern: "^[0-9a-zA-Z]{16,64}$",
        message: "A customer secret is letters and digits",
        example: "c0ffee00c0ffee00c0ffee00c0ffee00",
      }),
    },
  },
  {
    id: "recordings",
    title: "Recordings",
    description: "Agora keeps no recordings: it puts them into your own cloud storage.",
    fields: {
      recordingEnabled: checkbox({
        label: "Record visits",
        help: "Cloud Recording must be enabled for the project, and needs a bucket of yours.",
        helpUrl: agoraConsole,
        example: true,
      }),
      storageVendor: select({
        label: "Storage",
        help: "Who keeps the bucket.",
        dependsOn: whenRecording,
        options: [
          { value: "1", label: "Amazon S3" },
          { value: "2", label: "Alibaba Cloud" },
          { value: "3", label: "Tencent Cloud" },
          { value: "5", label: "Microsoft Azure" },
          { value: "6", label: "Google Cloud" },
          { value: "7", label: "Huawei Cloud" },
          { value: "8", label: "Baidu" },
        ],
        example: "1",
      }),
      storageRegion: number({
        label: "Region of the bucket",
        help: "Agora's number for it: of Amazon, 0 is us-east-1 and 14 is ap-south-1.",
        helpUrl: "https://docs.agora.io/en/cloud-recording/reference/region-vendor",
        dependsOn: whenRecording,
        min: 0,
        max: 999,
        example: 0,
      }),
      storageBucket: text({
        label: "Bucket",
        help: "Its name, or that of the container.",
        dependsOn: whenRecording,
        max: 255,
        example: "riverside-recordings",
      }),
      storageAccessKey: text({
        label: "Access key",
        help: "Of somebody who may write into that bucket and nothing else.",
        dependsOn: whenRecording,
        secret: true,
        max: 500,
        example: "AKIAEXAMPLEEXAMPLE00",
      }),
      storageSecretKey: password({
        label: "Secret key",
        help: "Beside the access key. Agora is given both with each recording.",
        dependsOn: whenRecording,
        max: 500,
        example: "exampleSecretKeyOfTheBucket0000000000000",
      }),
      recordingRegion: select({
        label: "Record in",
        required: false,
        help: "The recording stays in that part of the world, where the bucket must be too.",
        dependsOn: whenRecording,
        options: [
          { value: "NA", label: "North America" },
          { value: "EU", label: "Europe" },
          { value: "AP", label: "Asia without China" },
          { value: "CN", label: "China" },
        ],
        example: "NA",
      }),
    },
  },
  {
    id: "webhooks",
    title: "Webhooks",
    fields: {
      notificationSecret: password({
        label: "Notification secret",
        required: false,
        help: "The project's page, Notifications. Each product has its own: enter those of RTC and of Cloud Recording with a space between.",
        helpUrl: agoraConsole,
        pattern: "^[\\x21-\\x7e]{4,200}( [\\x21-\\x7e]{4,200}){0,3}$",
        message: "One to four secrets with a space between them",
        example: "exampleNcs0",
      }),
    },
  },
] as const satisfies readonly Step[];

type Config = Values<typeof steps>;

const Projects = z.object({
  projects: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      vendor_key: z.string(),
      sign_key: z.string().nullish(),
      status: z.number(),
      /** As far as a Date reaches. */
      created: z.number().min(0).max(8_640_000_000_000).nullish().catch(undefined),
    }),
  ),
});
const projectsOf = async (api: Api) => (await api.get("/dev/v1/projects", Projects)).projects;

/** Agora answers some failures with 201 and 206, and says in the body what is meant by a 400. */
const saidBy: Readonly<Record<string, Failure>> = {
  "201 7": { cause: "invalid_request", message: "That recording is running already" },
  "206 65": { cause: "vendor_unavailable", message: "Agora has not completed the request" },
  "400 49": { cause: "invalid_request", message: "That recording is stopping already" },
  "400 53": {
    cause: "invalid_request",
    message: "Somebody records that room under that number already",
  },
  "400 400": {
    cause: "forbidden",
    message: "Cloud Recording is not enabled for this project",
  },
  "400 405": {
    cause: "forbidden",
    message: "The project is not in use: a payment may be overdue",
  },
  "400 406": { cause: "rate_limited", message: "Too many recordings run at once" },
};
function failure({ status, body }: FailedReply): Failure | undefined {
  const { code } = z.object({ code: z.number() }).safeParse(body).data ?? {};
  return code === undefined ? undefined : saidBy[`${status} ${code}`];
}

/** docs.agora.io, Video Calling: channel management REST API, Cloud Recording, Notifications. */
export const vendor = defineVendor({
  name: "Agora",
  category: "telehealth",
  description:
    "Video and voice calls over Agora's network: channels, tokens, who is in, bans, and recordings into your own storage.",
  website: "https://www.agora.io",
  documentation: "https://docs.agora.io/en/video-calling/channel-management-api/overview",
  keywords: ["video", "voice", "channel", "telehealth", "rtc", "recording"],
  access: { kind: "self-serve" },
  environments: {
    sandbox: { baseUrl: "https://api.agora.io" },
    production: { baseUrl: "https://api.agora.io" },
  },
  hosts: ["api.sd-rtn.com"],
  steps,
  auth: ({ customerId, customerSecret }) => ({
    kind: "basic",
    user: customerId,
    password: customerSecret,
  }),
  failure,
  async test(api, values) {
    const projects = await projectsOf(api);
    // To the letter: both go into the tokens as they are.
    const project = projects.find(({ vendor_key: key }) => key === values.appId);
    if (!project)
      throw new VendorFailure(
        "credentials_rejected",
        "The customer ID belongs to an account that has no project with this App ID",
      );
    if (project.status !== 1)
      throw new VendorFailure("forbidden", "The project is disabled in Agora's console");
    if (!project.sign_key)
      throw new VendorFailure(
        "credentials_rejected",
        "The project has no primary certificate: enable it in Agora's console",
      );
    if (!equal(project.sign_key, values.appCertificate))
      throw new VendorFailure(
        "credentials_rejected",
        "The certificate is not the primary one of this project",
      );
    return {
      account: project.name,
      checked: [
        "customer ID and secret accepted",
        "project found by its App ID",
        "certificate is the project's",
      ],
    };
  },
  operations: {
    ...agoraChannels,
    ...agoraRecordings,
    listProjects: operation({
      title: "List the account's projects",
      effect: "read",
      params: z.object({}),
      result: z.object({
        projects: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            appId: z.string(),
            enabled: z.boolean(),
            createdAt: z.string().optional(),
          }),
        ),
      }),
      example: {
        params: {},
        wire: [
          {
            request: "GET /dev/v1/projects",
            reply: {
              projects: [
                {
                  id: "7sdnf3xRH",
                  name: "Riverside Clinic",
                  vendor_key: appId,
                  sign_key: "5cfd2fd1755d40ecb72977518be15d3b",
                  recording_server: null,
                  status: 1,
                  created: 1_795_435_200,
                },
              ],
            },
          },
        ],
        result: {
          projects: [
            {
              id: "7sdnf3xRH",
              name: "Riverside Clinic",
              appId,
              enabled: true,
              createdAt: "2026-11-23T12:00:00.000Z",
            },
          ],
        },
      },
      run: async (api) => ({
        projects: (await projectsOf(api)).map(({ id, name, vendor_key, status, created }) => ({
          id,
          name,
          appId: vendor_key,
          enabled: status === 1,
          createdAt: created ? new Date(created * 1000).toISOString() : undefined,
        })),
      }),
    }),
  },
  webhooks: {
    verify: agoraSignature(({ notificationSecret }: Config) => notificationSecret?.split(" ")),
    secretField: "notificationSecret",
    events: readAgoraEvents,
    types: agoraEventTypes,
    failures: ["recording.error", "recording.download_failed"],
    setup: [
      "Open your project in the Agora console and choose Notifications: https://console.agora.io",
      "For RTC, and for Cloud Recording if you record, choose the events and enter {url} as the address.",
      "Copy the secret of each product and enter it here before you press Check there.",
      "Agora sends an event again when it gets no answer, and may send one twice: its notice ID tells.",
    ],
  },
  // Of each call, for the whole account.
  rateLimit: { requests: 10, perSeconds: 1 },
  links: [
    { title: "Console", url: agoraConsole },
    { title: "Status", url: "https://status.agora.io/" },
    { title: "HIPAA", url: "https://www.agora.io/en/compliance/" },
  ],
});
