export type Verdict =
  | { ok: true }
  | {
      ok: false;
      /** `not_configured`: the integration has no secret yet. `stale`: outside the time window. */
      reason: "missing" | "malformed" | "mismatch" | "stale" | "not_configured";
      /** 503 only where the vendor itself says that it may forget to sign and will retry (Vonage). */
      status?: 401 | 503;
    };

/** An inbound request as received: `url` is the public one that the vendor was given. */
export type Incoming = {
  method: string;
  url: string;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
};

export type Verifier<C> = {
  /** For people: `HMAC-SHA256 of "<t>.<body>"`. */
  scheme: string;
  /** Seconds accepted each way around now, where the vendor signs a time. */
  toleranceSeconds?: number;
  /** Never throws, and is never true without a secret. `now` is Unix seconds. */
  verify: (incoming: Incoming, values: C, now: number) => Promise<Verdict>;
};
