import type { APIRoute } from "astro";

const monthsValid = 11;

/** RFC 9116: whom to tell about a vulnerability. Each deployment says it anew, so that it never expires in use. */
export const GET: APIRoute = () => {
  const expires = new Date();
  expires.setUTCMonth(expires.getUTCMonth() + monthsValid, 1);
  expires.setUTCHours(0, 0, 0, 0);
  const contact = process.env["SECURITY_CONTACT"] ?? "mailto:security@ehrconnect.example";
  const lines = [
    `Contact: ${contact}`,
    `Expires: ${expires.toISOString().replace(".000", "")}`,
    "Preferred-Languages: en",
  ];
  return new Response(`${lines.join("\n")}\n`);
};
