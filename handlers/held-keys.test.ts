import { decodeProtectedHeader, exportPKCS8, generateKeyPair } from "jose";
import { expect, test } from "vitest";

import { VendorFailure } from "../problem.ts";
import type { HeldKey } from "./api.ts";
import type { Wire } from "./outbound.ts";
import { connect, failureOf, ok, Thing, vendorOf } from "./testing.ts";

const held = async (algorithm: HeldKey["algorithm"]): Promise<HeldKey> => {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey: await exportPKCS8(privateKey), keyId: "held-1", algorithm };
};
const vendor = (onlyAlgorithm?: "RS384") =>
  vendorOf({
    auth: () => ({
      kind: "private_key_jwt",
      clientId: "c",
      privateKey: "",
      heldKey: "held-1",
      algorithm: "RS384",
      ...(onlyAlgorithm && { onlyAlgorithm }),
      scope: "system/Patient.rs",
      tokenUrl: "https://idp.example/token",
    }),
  });

/** A token endpoint that keeps the assertions, and the vendor behind it. */
function vendorSide() {
  const assertions: string[] = [];
  const wire: Wire = async (request) => {
    if (!request.url.startsWith("https://idp.example/")) return ok();
    assertions.push(new URLSearchParams(await request.text()).get("client_assertion") ?? "");
    return Response.json({ access_token: "t", expires_in: 300 });
  };
  return { wire, assertions };
}

test("a key that we hold signs by its own algorithm and kid, and is asked for once a token", async () => {
  const { wire, assertions } = vendorSide();
  const asked: string[] = [];
  const key = await held("ES384");
  const heldKey = async (kid: string) => {
    asked.push(kid);
    return key;
  };
  const { api } = connect(wire, { vendor: vendor(), heldKey });
  await api.get("/things/1", Thing);
  await api.get("/things/2", Thing);
  expect(asked).toEqual(["held-1"]);
  expect(assertions.map((jwt) => decodeProtectedHeader(jwt))).toEqual([
    { alg: "ES384", typ: "JWT", kid: "held-1" },
  ]);
});

test("a key of a kind that the vendor does not take is refused before the vendor is asked", async () => {
  const { wire, assertions } = vendorSide();
  const key = await held("ES384");
  const { api } = connect(wire, { vendor: vendor("RS384"), heldKey: async () => key });
  expect(await failureOf(api.get("/things/1", Thing))).toMatchObject({
    failure: "invalid_request",
    message: expect.stringContaining("RS384"),
  });
  expect(assertions).toEqual([]);
});

test("a key that was retired, or that nobody holds, fails as what it is", async () => {
  const { wire } = vendorSide();
  const heldKey = () => Promise.reject(new VendorFailure("credentials_expired", "It was retired"));
  const retired = connect(wire, { vendor: vendor(), heldKey });
  expect(await failureOf(retired.api.get("/things/1", Thing))).toMatchObject({
    failure: "credentials_expired",
  });
  const nobody = connect(wire, { vendor: vendor() });
  expect(await failureOf(nobody.api.get("/things/1", Thing))).toMatchObject({
    failure: "credentials_rejected",
  });
});
