import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

/** AES-GCM of a key service: what AWS and Vault do on their side of the wire. */
function keyService() {
  const key = randomBytes(32);
  return {
    seal(plain: Buffer, context: string) {
      const iv = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    open(blob: Buffer, context: string) {
      const decipher = createDecipheriv("aes-256-gcm", key, blob.subarray(0, 12))
        .setAAD(Buffer.from(context))
        .setAuthTag(blob.subarray(12, 28));
      return Buffer.concat([decipher.update(blob.subarray(28)), decipher.final()]);
    },
  };
}

export const aws = {
  AWS_KMS_KEY: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLEEXAMPLE00",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

/** KMS's JSON protocol, with the signature computed again from AWS's description of SigV4. */
export function kms() {
  const service = keyService();
  return async (request: Request): Promise<Response> => {
    const body = await request.text();
    const url = new URL(request.url);
    const sha = (text: string) => createHash("sha256").update(text).digest("hex");
    const authorization = request.headers.get("authorization") ?? "";
    const [, scope = "", names = "", signature] =
      /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
        authorization,
      ) ?? [];
    const canonical = [
      "POST",
      "/",
      "",
      ...names
        .split(";")
        .map((name) => `${name}:${name === "host" ? url.host : request.headers.get(name)}`),
      "",
      names,
      sha(body),
    ].join("\n");
    let key: Buffer | string = `AWS4${aws.AWS_SECRET_ACCESS_KEY}`;
    for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
    const text = [
      "AWS4-HMAC-SHA256",
      request.headers.get("x-amz-date"),
      scope,
      sha(canonical),
    ].join("\n");
    const expected = createHmac("sha256", key).update(text).digest("hex");
    if (signature !== expected || url.host !== "kms.eu-west-1.amazonaws.com")
      return Response.json({ __type: "IncompleteSignature" }, { status: 400 });
    const call = JSON.parse(body) as Record<string, string> & { EncryptionContext: object };
    const context = JSON.stringify(call.EncryptionContext);
    try {
      if (request.headers.get("x-amz-target") === "TrentService.Encrypt")
        return Response.json({
          CiphertextBlob: service
            .seal(Buffer.from(call["Plaintext"] ?? "", "base64"), context)
            .toString("base64"),
        });
      return Response.json({
        Plaintext: service
          .open(Buffer.from(call["CiphertextBlob"] ?? "", "base64"), context)
          .toString("base64"),
      });
    } catch {
      return Response.json({ __type: "InvalidCiphertextException" }, { status: 400 });
    }
  };
}

export const hashicorp = {
  VAULT_ADDR: "https://vault.clinic.example",
  VAULT_TOKEN: "hvs.test-token",
  VAULT_TRANSIT_KEY: "integrations",
};

export function transit() {
  const service = keyService();
  return async (request: Request): Promise<Response> => {
    if (request.headers.get("x-vault-token") !== hashicorp.VAULT_TOKEN)
      return Response.json({ errors: ["permission denied"] }, { status: 403 });
    const { pathname } = new URL(request.url);
    const body = (await request.json()) as Record<string, string>;
    const context = body["associated_data"] ?? "";
    try {
      if (pathname === "/v1/transit/encrypt/integrations") {
        const sealed = service.seal(Buffer.from(body["plaintext"] ?? "", "base64"), context);
        return Response.json({
          data: { ciphertext: `vault:v1:${sealed.toString("base64")}`, key_version: 1 },
        });
      }
      if (pathname === "/v1/transit/decrypt/integrations") {
        const blob = Buffer.from((body["ciphertext"] ?? "").replace("vault:v1:", ""), "base64");
        return Response.json({
          data: { plaintext: service.open(blob, context).toString("base64") },
        });
      }
      return Response.json({ errors: ["no handler"] }, { status: 404 });
    } catch {
      return Response.json({ errors: ["invalid ciphertext"] }, { status: 400 });
    }
  };
}
