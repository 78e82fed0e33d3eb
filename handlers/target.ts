import { VendorFailure } from "../problem.ts";
import type { Call } from "./api.ts";
import type { AnyVendor, EnvironmentName } from "./define.ts";
import { notConfigured } from "./failure.ts";
import { guardUrl } from "./outbound.ts";

type Values = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where an integration lives, and which hosts its requests may go to with its credentials. */
export type Place = {
  /** Without a slash at the end. */
  baseUrl: string;
  hosts: readonly string[];
  /** The tenant chose the host among all there are, so that its address is looked up first. */
  anyHost: boolean;
};

function encodeSegment(name: string, value: string) {
  // The URL parser would take these two out, and an empty one would address the whole collection.
  if (value === "" || value === "." || value === "..")
    throw new VendorFailure("invalid_request", `"${name}" must not be empty or dots`);
  if (!value.isWellFormed())
    throw new VendorFailure("invalid_request", `"${name}" is not well-formed text`);
  return encodeURIComponent(value);
}

/** Fills `{name}` with one encoded segment, and `{+name}` with a path whose slashes stay. */
export function fillTemplate(template: string, path: Values, values: Values): string {
  return template.replace(/\{(\+?)(\w+)\}/g, (_, plus: string, name: string) => {
    const value = path[name] ?? values[name];
    if (value === undefined) throw new Error(`Nothing fills {${name}} of ${template}`);
    const text = String(value);
    if (!plus) return encodeSegment(name, text);
    const segments = text.replace(/^\/|\/$/g, "").split("/");
    return segments.map((segment) => encodeSegment(name, segment)).join("/");
  });
}

const isAny = (pattern: string) => pattern === "*" || pattern.startsWith("*:");

/** `https://{instance}.example.com/v1` reaches `*.example.com`; a host of fields alone reaches nothing. */
function hostPattern(template: string): string[] {
  const authority = /^https:\/\/([^/]+)/.exec(template)?.[1];
  if (authority === undefined) return [];
  if (!authority.includes("{")) return [authority];
  const suffix = authority.slice(authority.lastIndexOf("}") + 1);
  return /^\.[\w-]+\.[\w.:-]+$/.test(suffix) ? [`*${suffix}`] : [];
}

/** Throws `VendorFailure` where the environment, the endpoint or its host is not acceptable. */
export function findPlace(
  vendor: AnyVendor,
  environment: EnvironmentName,
  endpoint: string | null | undefined,
  values: Values,
): Place {
  const declared = vendor.environments[environment];
  if (!declared)
    throw new VendorFailure("invalid_request", `${vendor.name} has no ${environment} environment`);
  const template = declared.baseUrl;
  const patterns = [...(template ? hostPattern(template) : []), ...(declared.hosts ?? [])];
  const address = endpoint?.trim() || (template && fillTemplate(template, {}, values));
  if (!address) throw notConfigured("The integration has no API endpoint");
  const url = guardUrl(address, patterns);
  const others = [...(template ? (declared.hosts ?? []) : []), ...(vendor.hosts ?? [])];
  return {
    baseUrl: `${url.origin}${url.pathname}`.replace(/\/+$/, "") + url.search,
    hosts: [url.host, ...others.filter((pattern) => !isAny(pattern))],
    anyHost: patterns.some(isAny),
  };
}

function addQuery(url: URL, query: Call["query"]) {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) =>
    (value === undefined ? [] : [value])
      .flat()
      .map((each) => `${encodeURIComponent(name)}=${encodeURIComponent(String(each))}`),
  );
  if (pairs.length) url.search = [url.search.slice(1), ...pairs].filter(Boolean).join("&");
}

/** The address of one call, and the route under which it is logged. */
export function locate(
  place: Place,
  path: string,
  call: Call,
  values: Values,
): { url: URL; route: string } {
  const filled = fillTemplate(path, call.path ?? {}, values);
  if (/^https:\/\//i.test(path)) {
    const url = guardUrl(filled, place.hosts);
    addQuery(url, call.query);
    // Without a field in it, the URL came out of a reply and may hold anything.
    const route = path.includes("{") ? path.replace(/^https:\/\/[^/]*|\?.*$/g, "") : "(absolute)";
    return { url, route };
  }
  const [base = "", fixedQuery] = place.baseUrl.split("?");
  const joined = filled === "" || /^[/?]/.test(filled) ? filled : `/${filled}`;
  const url = guardUrl(base + joined, place.hosts);
  if (fixedQuery) url.search = [fixedQuery, url.search.slice(1)].filter(Boolean).join("&");
  addQuery(url, call.query);
  return { url, route: path.replace(/\?.*$/s, "") };
}
