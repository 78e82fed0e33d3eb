import { createPublicKey } from "node:crypto";

import { HTTPException } from "hono/http-exception";
import { jwtVerify } from "jose";

import { basicCredentials, bearerToken, isSame } from "../define.ts";
import { demoKey } from "../smart/keys.ts";

const { privateKey } = demoKey("RS384", "vonage-application");
const publicKey = createPublicKey(privateKey);
export const publicPem = publicKey.export({ type: "spki", format: "pem" }).toString();

export const credentials = {
  apiKey: "abcd1234",
  apiSecret: "ExampleSecret0000",
  applicationId: "78d335fa-323d-4114-9c3d-d6f0d48968cf",
  privateKey,
  fromNumber: "+14155550100",
  brandName: "Riverside Clinic",
  signatureSecret: "vonage0signature0secret0123456789",
  videoSignatureSecret: "vonage0video0secret0123456789",
};

export const problem = (status: number, path: string, title: string, headers = {}) =>
  Response.json(
    {
      type: `https://developer.vonage.com/api-errors${path}`,
      title,
      detail: title,
      instance: "bf0ca0bf927b3b52e3cb03217e1a1ddf",
    },
    { status, headers: { ...headers, "content-type": "application/problem+json" } },
  );
export function refuse(status: number, path: string, title: string): never {
  throw new HTTPException(status as 400, { res: problem(status, path, title) });
}

const unauthorized = () => problem(401, "#unauthorized", "You did not provide correct credentials");

/** The account's key and secret, as the older APIs want them. */
export function requireAccount(request: Request) {
  const given = basicCredentials(request);
  if (!isSame(credentials.apiKey, given?.user) || !isSame(credentials.apiSecret, given?.password))
    throw new HTTPException(401, { res: unauthorized() });
}

/** A token that the application's private key signed, and that is still good. */
export async function requireApplication(request: Request) {
  try {
    const { payload } = await jwtVerify(bearerToken(request) ?? "", publicKey, {
      algorithms: ["RS256"],
      requiredClaims: ["iat", "exp", "jti"],
      maxTokenAge: "24h",
    });
    if (payload["application_id"] !== credentials.applicationId) throw new Error("another");
  } catch {
    throw new HTTPException(401, { res: unauthorized() });
  }
}

export async function jsonBody(request: Request): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type")?.split(";")[0];
  const body: unknown =
    type === "application/json" ? await request.json().catch(() => undefined) : undefined;
  if (body instanceof Object && !Array.isArray(body)) return body as Record<string, unknown>;
  return refuse(400, "#invalid-json", "Invalid JSON");
}

export const isNumber = (value: unknown): value is string =>
  typeof value === "string" && /^[1-9]\d{6,14}$/.test(value);
