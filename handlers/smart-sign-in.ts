import { oauth, password, select, text } from "./fields.ts";
import type { AuthorizationCode } from "./oauth.ts";
import { heldKey, ownKey, smartAuth, type SmartValues, systemScopes } from "./smart.ts";

/** What EHRs have in common that let a machine sign in or a person, by SMART standalone launch. */
export const byPerson = { field: "signIn", equals: "user" } as const;
export const bySystem = { field: "signIn", equals: "system" } as const;

export const signInChoice = () => ({
  signIn: select({
    label: "Who signs in",
    help: "Our server, by itself, with an app for backend systems; or a person of your organization, once, in the browser, with an app for clinicians or staff. What the person may see is then what the integration may see.",
    helpUrl: "https://hl7.org/fhir/smart-app-launch/app-launch.html",
    options: [
      { value: "system", label: "Our server (Backend Services)" },
      { value: "user", label: "A person (SMART standalone launch)" },
    ],
    default: "system",
    example: "system",
  }),
});

type SecretPlace = {
  help: string;
  helpUrl: `https://${string}`;
  dependsOn?: typeof byPerson;
};
export const secretField = (place: SecretPlace) => ({
  clientSecret: password({ ...place, label: "Client secret", example: "example-client-secret" }),
});
export const bySecret = { label: "Client secret", fields: ["clientSecret"] } as const;
export const keyOrSecret = [ownKey, heldKey, bySecret] as const;

type ScopesPlace = {
  help: string;
  helpUrl: `https://${string}`;
  default: string;
  example: string;
  pattern?: string;
};
export const systemScopesField = ({ pattern = systemScopes, ...place }: ScopesPlace) =>
  text({
    ...place,
    label: "Scopes",
    pattern,
    message: "List scopes such as system/Patient.read, separated by spaces",
    dependsOn: bySystem,
  });

/** How long a sign-in lasts: until it is revoked, or as long as the person is signed in at the vendor. */
type Access = "offline_access" | "online_access";
const lasts: Record<Access, string> = {
  offline_access:
    "Without offline_access the sign-in ends when its first token does, usually within the hour.",
  online_access:
    "With online_access the sign-in lasts as long as the person's session there; offline_access, which outlasts it, is granted only to some apps.",
};

type PersonPlace = {
  vendor: string;
  /** Types of resources that may be read. */
  readable: readonly string[];
  access?: Access;
  /** The scope for writing, where it is not among the defaults. */
  writing?: string;
};
export const signInFields = ({
  vendor,
  readable,
  access = "offline_access",
  writing = "",
}: PersonPlace) => ({
  userScopes: text({
    label: "Scopes of the person",
    help: `Separated by spaces. ${lasts[access]} ${writing}`.trim(),
    helpUrl: "https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html",
    pattern: "^\\S+( \\S+)*$",
    message: "List scopes such as user/Patient.read, separated by spaces",
    dependsOn: byPerson,
    default: ["openid fhirUser", access, ...readable.map((type) => `user/${type}.read`)].join(" "),
    example: `openid fhirUser ${access} user/Patient.read`,
  }),
  connect: oauth({
    label: `Connect with ${vendor}`,
    help: "Saved first, then connected: you sign in and agree in the browser, and come back here. Register the address below as the app's redirect URI.",
    dependsOn: byPerson,
  }),
});

type Values = SmartValues & {
  signIn?: "system" | "user" | undefined;
  userScopes?: string | undefined;
};

/** Whichever key there is signs for the client, else its secret is sent. */
function personAuth(values: Values): AuthorizationCode {
  const { clientId, clientSecret, signingKeyId, keyId, onlyAlgorithm } = values;
  const { privateKey = "", userScopes, tokenUrl, algorithm = "RS384" } = values;
  const scopes = userScopes?.split(" ") ?? [];
  const shared = { kind: "authorization_code", clientId, scopes, tokenUrl, pkce: true } as const;
  if (!privateKey && !signingKeyId)
    return { ...shared, style: clientSecret ? "basic" : "none", clientSecret };
  const signing = { privateKey, keyId, algorithm, heldKey: signingKeyId, onlyAlgorithm };
  return { ...shared, style: "private_key_jwt", signing };
}

/** Signs in the server or a person, as `signIn` says; a server without scopes of its own asks for `scopes`. */
export const smartApp = (values: Values, scopes = "") =>
  values.signIn === "user"
    ? personAuth(values)
    : smartAuth({ ...values, scopes: values.scopes ?? scopes });
