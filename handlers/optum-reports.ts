import * as z from "zod";

import { operation } from "./define.ts";
import * as examples from "./medical-network-examples.ts";
import {
  ClaimReportReply,
  readClaimReport,
  readRemittances,
  readReport,
  RemittanceReply,
  Report,
} from "./medical-network-reports.ts";
import { keepingRaw } from "./medical-network.ts";
import { type Config, present } from "./optum-fields.ts";
import { ClaimAnswers } from "./x12-claim-status.ts";
import { Remittance } from "./x12-remittance.ts";

export const reports = "/medicalnetwork/reports/v2";

export const mailbox = (values: Config) => ({
  headers: present({
    "X-CHC-Reports-Username": values.networkUser,
    "X-CHC-Reports-Password": values.networkPassword,
  }),
});

export const ReportList = z.object({
  reports: z.array(z.string()).nullish(),
  meta: z.object({
    applicationMode: z.string().nullish(),
    senderId: z.string().nullish(),
  }),
});

const Name = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9_-]{1,60}){1,3}$/, "A report is named like R5000000.XY");

const Raw = { raw: z.boolean().default(false) };

export const reportOperations = {
  listReports: operation({
    title: "List the reports in the mailbox",
    description:
      "Acknowledgments (277CA, 999), remittances (835) and readable reports, until they are acknowledged.",
    effect: "read",
    params: z.object({}),
    result: z.object({ reports: z.array(z.object({ name: z.string() })) }),
    example: {
      params: {},
      wire: [
        {
          request: `GET ${reports}/`,
          reply: { reports: ["R5000000.XY", "X3000000.XX"], meta: examples.exampleMeta },
        },
      ],
      result: { reports: [{ name: "R5000000.XY" }, { name: "X3000000.XX" }] },
    },
    async run(api, _params, values: Config) {
      const { reports: names } = await api.get(`${reports}/`, ReportList, mailbox(values));
      return { reports: (names ?? []).map((name) => ({ name })) };
    },
  }),
  readReport: operation({
    title: "Read a report as it is",
    description: "X12 is read too: remittances (835), claim acknowledgments (277CA) and 999s.",
    effect: "read",
    params: z.object({ name: Name }),
    result: Report,
    example: {
      params: { name: "X3000000.AB" },
      wire: [
        {
          request: `GET ${reports}/X3000000.AB`,
          reply: { report_content: examples.exampleReport, meta: examples.exampleMeta },
        },
      ],
      result: {
        format: "x12",
        content: examples.exampleReport,
        acknowledgments: [examples.exampleAcknowledgment],
      },
    },
    async run(api, { name }, values: Config) {
      const reply = z.object({ report_content: z.string() });
      const call = { path: { name }, ...mailbox(values), timeoutMs: 60_000 };
      const { report_content } = await api.get(`${reports}/{name}`, reply, call);
      return readReport(report_content);
    },
  }),
  readRemittance: operation({
    title: "Read a remittance (835)",
    effect: "read",
    params: z.object({ name: Name, ...Raw }),
    result: z.object({ remittances: z.array(Remittance), raw: z.unknown().optional() }),
    example: {
      params: { name: "R5000000.XY" },
      wire: [
        {
          request: `GET ${reports}/R5000000.XY/835`,
          reply: examples.exampleRemittanceReply,
        },
      ],
      result: { remittances: [examples.exampleRemittance] },
    },
    async run(api, { name, raw: wanted }, values: Config) {
      const call = { path: { name }, ...mailbox(values), timeoutMs: 60_000 };
      const reply = keepingRaw(RemittanceReply);
      const { read, raw } = await api.get(`${reports}/{name}/835`, reply, call);
      return { remittances: readRemittances(read), ...(wanted && { raw }) };
    },
  }),
  readClaimReport: operation({
    title: "Read what became of claims at the door (277CA)",
    effect: "read",
    params: z.object({ name: Name, ...Raw }),
    result: ClaimAnswers.extend({ raw: z.unknown().optional() }),
    example: {
      params: { name: "X3000000.XX" },
      wire: [
        {
          request: `GET ${reports}/X3000000.XX/277`,
          reply: examples.exampleClaimReportReply,
        },
      ],
      result: { claims: [examples.exampleAccepted], errors: [] },
    },
    async run(api, { name, raw: wanted }, values: Config) {
      const call = { path: { name }, ...mailbox(values), timeoutMs: 60_000 };
      const reply = keepingRaw(ClaimReportReply);
      const { read, raw } = await api.get(`${reports}/{name}/277`, reply, call);
      return { ...readClaimReport(read), ...(wanted && { raw }) };
    },
  }),
  acknowledgeReport: operation({
    title: "Take a report out of the mailbox",
    description: "Once its content is kept: Optum does not show it again.",
    effect: "write",
    idempotent: true,
    params: z.object({ name: Name }),
    result: z.object({ name: z.string(), acknowledged: z.literal(true) }),
    example: {
      params: { name: "R5000000.XY" },
      wire: [
        {
          request: `DELETE ${reports}/R5000000.XY`,
          reply: { status: "success", meta: examples.exampleMeta },
        },
      ],
      result: { name: "R5000000.XY", acknowledged: true },
    },
    async run(api, { name }, values: Config) {
      // Its document names no word; whatever is said with a 200, a failure is none.
      const reply = z.object({ status: z.string().regex(/^(?!.*(?:fail|error))/i) });
      await api.delete(`${reports}/{name}`, reply, { path: { name }, ...mailbox(values) });
      return { name, acknowledged: true as const };
    },
  }),
};
