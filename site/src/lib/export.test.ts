import { expect, test } from "vitest";

import type { Activity } from "./api.ts";
import { toCsv } from "./export.ts";

const row: Activity = {
  id: "1",
  integration_id: null,
  vendor_id: "twilio",
  activity_type: "tested",
  status: "failure",
  details: { cause: "timeout" },
  error_message: '=cmd|"x",\ny',
  created_at: "2026-11-23T12:00:00.000Z",
  created_by: null,
  actor: "Mara",
  request_id: "r",
  org_id: "o",
  ip: null,
  seq: 1,
  hash: "",
};

test("a cell is quoted, and never a formula to a spreadsheet", () => {
  const [head, ...lines] = toCsv([row]).split("\r\n");
  expect(head).toBe(
    "created_at,activity_type,status,vendor_id,integration_id,actor,error_message,details,request_id,id",
  );
  expect(lines).toEqual([
    `2026-11-23T12:00:00.000Z,tested,failure,twilio,,Mara,"'=cmd|""x"",\ny","{""cause"":""timeout""}",r,1`,
    "",
  ]);
});
