import { describe, expect, test } from "vitest";

import { document, encounter, medicationRequest, patient } from "./fhir-resources.ts";

const readPatient = (more: object) =>
  patient.read(patient.schema.parse({ resourceType: "Patient", id: "p1", ...more }));
const ended = { start: "2016-12-06", end: "2020-07-22" };

describe("of names, addresses and numbers, the one that holds now", () => {
  test.each([
    ["one marked as old comes first", [{ use: "old", family: "Ray" }, { family: "Lopez" }]],
    ["one has ended", [{ family: "Ray", period: ended }, { family: "Lopez" }]],
    [
      "the official one has ended",
      [
        { use: "official", family: "Ray", period: { end: "2020" } },
        { use: "usual", family: "Lopez" },
      ],
    ],
    ["a maiden name comes first", [{ use: "maiden", family: "Ray" }, { family: "Lopez" }]],
    [
      "a nickname comes first",
      [
        { use: "nickname", text: "Mimi" },
        { use: "usual", family: "Lopez" },
      ],
    ],
    [
      "it will end some day",
      [{ family: "Lopez", period: { end: `${new Date().getUTCFullYear()}` } }, { family: "Ray" }],
    ],
    [
      "the official one comes last",
      [
        { use: "usual", family: "Ray" },
        { use: "official", family: "Lopez" },
      ],
    ],
  ])("is the name where %s", (_where, name) => {
    expect(readPatient({ name })).toMatchObject({ name: "Lopez", family: "Lopez" });
  });

  test("is an old name where there is no other", () => {
    expect(readPatient({ name: [{ use: "old", family: "Ray", given: ["Jo"] }] })).toMatchObject({
      name: "Jo Ray",
    });
  });

  test("is the address, and the telephone number", () => {
    const moved = readPatient({
      address: [
        { use: "old", city: "Mounds", period: ended },
        { city: "Tulsa", period: { start: "2020-07-22" } },
      ],
      telecom: [
        { system: "phone", value: "555-0100", period: ended },
        { system: "phone", value: "555-0101" },
        { system: "email", value: "jo@example.org", use: "old" },
      ],
    });
    expect(moved).toMatchObject({ address: { city: "Tulsa" }, phone: "555-0101" });
    expect(moved.email).toBeUndefined();
  });
});

describe("what is contained in the resource", () => {
  const contained = [
    {
      resourceType: "Medication",
      id: "m1",
      code: { text: "celecoxib", coding: [{ code: "205323" }] },
    },
    { resourceType: "Location", id: "l1", name: "Main Clinic" },
    { resourceType: "Practitioner", id: "d1", name: [{ family: "Welby", given: ["Marcus"] }] },
    { resourceType: "Patient", id: "odd", name: 7, code: 7 },
  ];
  const to = (id: string) => ({ reference: `#${id}` });

  test("names the medication and who prescribed it", () => {
    const read = (more: object) =>
      medicationRequest.read(
        medicationRequest.schema.parse({
          resourceType: "MedicationRequest",
          id: "r1",
          contained,
          ...more,
        }),
      );
    expect(read({ medicationReference: to("m1"), requester: to("d1") })).toMatchObject({
      medication: { text: "celecoxib", code: "205323" },
      prescriber: "Marcus Welby",
    });
    const named = { ...to("gone"), display: "celecoxib 200 mg" };
    expect(read({ medicationReference: named }).medication).toEqual({ text: "celecoxib 200 mg" });
  });

  test("names the place and the practitioner", () => {
    const visit = encounter.schema.parse({
      resourceType: "Encounter",
      id: "e1",
      contained,
      location: [{ location: to("l1") }],
      participant: [{ individual: to("d1") }],
    });
    expect(encounter.read(visit)).toMatchObject({
      location: "Main Clinic",
      practitioner: "Marcus Welby",
    });
  });

  test.each(["odd", "gone"])("says nothing where it has no name (#%s)", (id) => {
    const note = document.schema.parse({
      resourceType: "DocumentReference",
      id: "n1",
      contained,
      author: [to(id)],
      content: [],
    });
    expect(document.read(note).author).toBeUndefined();
  });
});
