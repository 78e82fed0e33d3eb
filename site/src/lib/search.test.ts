import { describe, expect, test } from "vitest";

import { index, search } from "./search.ts";

const entries = index([
  {
    id: "epic",
    words: "Epic\nElectronic health records\nClinical\nRead patients",
    areas: ["Clinical"],
    categories: ["ehr", "hl7-fhir"],
  },
  {
    id: "stripe",
    words: "Stripe\nPayments\nFinancial\ncards\nTake card payments",
    areas: ["Financial"],
    categories: ["payment"],
  },
  {
    id: "cafe",
    words: "Café Médical\nCRM\nOperations\npatients",
    areas: ["Operations"],
    categories: ["crm"],
  },
]);
const tabs = ["All", "Clinical", "Financial"];
const ids = (q: string, tab = "All", category = "") =>
  search(entries, tabs, { q, tab, category }).found.map(({ id }) => id);

describe("search", () => {
  test("keeps the given order when nothing is typed", () => {
    expect(ids("")).toEqual(["epic", "stripe", "cafe"]);
  });
  test("finds by name, category label, business area, keyword and description", () => {
    expect(ids("str")).toEqual(["stripe"]);
    expect(ids("electronic rec")).toEqual(["epic"]);
    expect(ids("financial")).toEqual(["stripe"]);
    expect(ids("cards")).toEqual(["stripe"]);
    expect(ids("patients")).toEqual(["epic", "cafe"]);
  });
  test("ignores case and accents", () => {
    expect(ids("CAFE medical")).toEqual(["cafe"]);
  });
  test("needs every word typed, and is not confused by pattern characters", () => {
    expect(ids("stripe patients")).toEqual([]);
    expect(ids("p.yments (")).toEqual([]);
  });
  test("filters by tab and category and counts what each tab would show", () => {
    expect(ids("", "Clinical")).toEqual(["epic"]);
    expect(ids("", "All", "hl7-fhir")).toEqual(["epic"]);
    expect(search(entries, tabs, { q: "patients", tab: "Financial", category: "" }).counts).toEqual(
      {
        All: 2,
        Clinical: 1,
        Financial: 0,
      },
    );
  });
});
