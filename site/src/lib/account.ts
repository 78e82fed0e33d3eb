import { auth } from "./auth.ts";

export type OpenSession = {
  id: string;
  token: string;
  ipAddress: string | null;
  userAgent: string | null;
  createdAt: string;
  updatedAt: string;
};
export type Account = {
  sessionId: string;
  twoFactor: boolean;
  /** Without one, the organization's own sign-in is the only way in. */
  hasPassword: boolean;
  sessions: OpenSession[];
};

export async function readAccount(): Promise<Account> {
  const [current, accounts, sessions] = await Promise.all([
    auth<{ user: { twoFactorEnabled?: boolean }; session: { id: string } }>("/get-session"),
    auth<{ providerId: string }[]>("/list-accounts"),
    auth<OpenSession[]>("/list-sessions"),
  ]);
  return {
    sessionId: current.session.id,
    twoFactor: current.user.twoFactorEnabled ?? false,
    hasPassword: accounts.some((one) => one.providerId === "credential"),
    sessions: sessions.toSorted((a, b) => b.updatedAt.localeCompare(a.updatedAt)),
  };
}

export const endSession = (token: string) => auth<unknown>("/revoke-session", { token });
export const endOtherSessions = () => auth<unknown>("/revoke-other-sessions", {});

export const changePassword = (currentPassword: string, newPassword: string) =>
  auth<unknown>("/change-password", { currentPassword, newPassword });

export type Enrolment = { totpURI: string; backupCodes: string[] };

export const beginTwoFactor = (password: string) =>
  auth<Enrolment>("/two-factor/enable", { password });
export const confirmTwoFactor = (code: string) =>
  auth<unknown>("/two-factor/verify-totp", { code });
export const endTwoFactor = (password: string) =>
  auth<unknown>("/two-factor/disable", { password });
export const newBackupCodes = async (password: string) =>
  (await auth<{ backupCodes: string[] }>("/two-factor/generate-backup-codes", { password }))
    .backupCodes;

const browsers = [
  [/\bEdg\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bFirefox\//, "Firefox"],
  [/\bChrome\//, "Chrome"],
  [/\bSafari\//, "Safari"],
] as const;
const systems = [
  [/\b(?:iPhone|iPad)\b/, "iOS"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
] as const;

/** "Chrome on macOS", as far as the browser says it. */
export function deviceOf(userAgent: string | null): string {
  const find = (list: readonly (readonly [RegExp, string])[]) =>
    list.find(([pattern]) => pattern.test(userAgent ?? ""))?.[1];
  const [browser, system] = [find(browsers), find(systems)];
  return browser && system ? `${browser} on ${system}` : (browser ?? system ?? "Unknown device");
}
