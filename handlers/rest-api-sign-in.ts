import type { Auth } from "./api.ts";
import { oauth, password, select, text, url } from "./fields.ts";

const dependsOn = { field: "authKind", equals: "code" } as const;

/** Fields of an API whose users sign in: OAuth 2.0 authorization code (RFC 6749 §4.1). */
export const signInFields = {
  signInUrl: url({
    label: "Authorization URL",
    placeholder: "https://auth.example.com/oauth/authorize",
    help: "Where people sign in and agree; “authorization_endpoint” in your API's OAuth metadata.",
    dependsOn,
    example: "https://auth.example.com/oauth/authorize",
  }),
  signInTokenUrl: url({
    label: "Token URL",
    placeholder: "https://auth.example.com/oauth/token",
    help: "Where the code is exchanged; “token_endpoint” in the metadata.",
    dependsOn,
    example: "https://auth.example.com/oauth/token",
  }),
  signInRevokeUrl: url({
    label: "Revocation URL",
    required: false,
    placeholder: "https://auth.example.com/oauth/revoke",
    help: "“revocation_endpoint” in the metadata, if there is one: asked when you disconnect or delete the integration.",
    dependsOn,
    example: "https://auth.example.com/oauth/revoke",
  }),
  signInIssuer: url({
    label: "Issuer",
    required: false,
    placeholder: "https://auth.example.com",
    help: "Give it if the metadata says authorization_response_iss_parameter_supported: answers that do not name it are then refused.",
    helpUrl: "https://www.rfc-editor.org/rfc/rfc9207",
    dependsOn,
    example: "https://auth.example.com",
  }),
  signInClientId: text({
    label: "Client ID",
    help: "From the registration of your application at the authorization server. Its redirect URI is the one below.",
    dependsOn,
    example: "example-app",
  }),
  signInClientSecret: password({
    label: "Client secret",
    required: false,
    help: "From the same registration; a public client has none.",
    dependsOn,
    example: "example-app-secret",
  }),
  signInClientAuth: select({
    label: "Client authentication",
    help: "How the client ID and secret are sent to the token URL.",
    options: [
      { value: "basic", label: "HTTP Basic (client_secret_basic)" },
      { value: "body", label: "Form fields (client_secret_post)" },
    ],
    dependsOn,
    default: "basic",
    example: "basic",
  }),
  signInScope: text({
    label: "Scope",
    required: false,
    help: "What to ask for, separated by spaces. Add offline_access if your server gives refresh tokens only with it.",
    dependsOn,
    example: "read write",
  }),
  connect: oauth({
    label: "Connect",
    help: "Saved first, then connected: you sign in and agree in the browser, and come back here.",
    dependsOn,
  }),
};

type Values = {
  signInUrl?: string | undefined;
  signInTokenUrl?: string | undefined;
  signInRevokeUrl?: string | undefined;
  signInIssuer?: string | undefined;
  signInClientId?: string | undefined;
  signInClientSecret?: string | undefined;
  signInClientAuth?: "basic" | "body" | undefined;
  signInScope?: string | undefined;
};

export const signInAuth = (values: Values): Auth => ({
  kind: "authorization_code",
  authorizeUrl: values.signInUrl ?? "",
  tokenUrl: values.signInTokenUrl ?? "",
  revokeUrl: values.signInRevokeUrl,
  issuer: values.signInIssuer,
  issRequired: values.signInIssuer !== undefined,
  clientId: values.signInClientId ?? "",
  clientSecret: values.signInClientSecret,
  style: values.signInClientSecret ? (values.signInClientAuth ?? "basic") : "none",
  scopes: values.signInScope?.split(/\s+/).filter(Boolean) ?? [],
  pkce: true,
});
