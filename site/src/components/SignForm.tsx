import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { ApiProblem } from "../lib/api.ts";
import {
  addOrg,
  enterCode,
  nextAddress,
  resetPassword,
  signIn,
  signUp,
  startSso,
} from "../lib/auth.ts";
import { Icon } from "./Icon.tsx";

type Props = {
  id: string;
  label: string;
  type: "text" | "email" | "password";
  autocomplete: string;
  help?: string;
  complaint?: string | undefined;
  minLength?: number;
};

function Line({ id, label, help, complaint, ...input }: Props) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={id}
        class="input"
        required
        aria-invalid={complaint ? "true" : undefined}
        aria-describedby={complaint ? `${id}-error` : help ? `${id}-help` : undefined}
        {...input}
      />
      {complaint ? (
        <p class="field-error" id={`${id}-error`}>
          <Icon name="alert" size={14} />
          {complaint}
        </p>
      ) : (
        help && (
          <p class="field-help" id={`${id}-help`}>
            {help}
          </p>
        )
      )}
    </div>
  );
}

const requirements: Record<string, (value: string) => string | undefined> = {
  name: (value) => (value ? undefined : "Your name is required"),
  email: (value) =>
    /^\S+@\S+\.\S+$/.test(value) ? undefined : "Enter an email address such as mara@clinic.org",
  password: (value) => (value ? undefined : "A password is required"),
  "new-password": (value) => (value.length >= 12 ? undefined : "Use at least 12 characters"),
  organization: (value) => (value ? undefined : "The organization's name is required"),
};

type FormProps = {
  action: string;
  submit: (value: (id: string) => string) => Promise<void>;
  fields: readonly Props[];
  children?: ComponentChildren;
};

function Form({ action, submit, fields }: FormProps) {
  const [complaints, setComplaints] = useState<Record<string, string>>({});
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    const entered = new FormData(event.currentTarget as HTMLFormElement);
    const value = (id: string) => {
      const text = String(entered.get(id) ?? "");
      return id.endsWith("password") ? text : text.trim();
    };
    const found = Object.fromEntries(
      fields.flatMap(({ id }) => {
        const complaint = requirements[id]?.(value(id));
        return complaint ? [[id, complaint]] : [];
      }),
    );
    setComplaints(found);
    setFailure("");
    const [first] = Object.keys(found);
    if (first) return document.getElementById(first)?.focus();
    setBusy(true);
    try {
      await submit(value);
    } catch (error) {
      setFailure(error instanceof ApiProblem ? error.message : String(error));
      setBusy(false);
    }
  }

  return (
    <form class="stack" noValidate onSubmit={(event) => void onSubmit(event)}>
      {failure && (
        <div class="note note-bad" role="alert">
          <Icon name="alert" />
          <p>{failure}</p>
        </div>
      )}
      {fields.map((field) => (
        <Line key={field.id} {...field} complaint={complaints[field.id]} />
      ))}
      <button class="button button-primary button-wide" aria-disabled={busy}>
        {busy && <span class="spinner" />}
        {action}
      </button>
    </form>
  );
}

const email: Props = { id: "email", label: "Work email", type: "email", autocomplete: "username" };

const troubles: Readonly<Record<string, string>> = {
  sso_expired: "That took too long, or was begun in another browser. Try again.",
  sso_refused: "Your organization’s sign-in page did not let you in, or its answer was not valid.",
  sso_unavailable: "Your organization’s sign-in page does not answer. Try again.",
  sso_no_email: "Your organization’s sign-in page did not tell us your email address.",
  sso_email_unverified: "Your organization has not confirmed your email address yet.",
  sso_wrong_domain: "You signed in there with an address of another domain.",
  sso_account_exists:
    "This address has an account in another organization. Sign in with its password first, then choose single sign-on again.",
};

type Step = "password" | "code" | "sso";

export function SignInForm() {
  const query = new URLSearchParams(location.search);
  const [step, setStep] = useState<Step>("password");
  const trouble = troubles[query.get("error") ?? ""];
  const arrive = () => location.assign(nextAddress(location.search));

  if (step === "code")
    return (
      <>
        <Form
          key="code"
          action="Continue"
          fields={[
            {
              id: "code",
              label: "Code of your authenticator app",
              type: "text",
              autocomplete: "one-time-code",
              help: "Without your phone: one of your backup codes.",
            },
          ]}
          submit={async (value) => {
            await enterCode(value("code").replaceAll(/\s/g, ""));
            arrive();
          }}
        />
        <button type="button" class="button-link" onClick={() => setStep("password")}>
          Sign in as somebody else
        </button>
      </>
    );
  if (step === "sso")
    return (
      <>
        <Form
          key="sso"
          action="Continue with single sign-on"
          fields={[{ ...email, help: "You go to your organization’s own sign-in page." }]}
          submit={async (value) =>
            location.assign(await startSso(value("email"), nextAddress(location.search)))
          }
        />
        <button type="button" class="button-link" onClick={() => setStep("password")}>
          Sign in with a password
        </button>
      </>
    );
  return (
    <>
      {trouble && (
        <div class="note note-bad" role="alert">
          <Icon name="alert" />
          <p>{trouble}</p>
        </div>
      )}
      <Form
        key="password"
        action="Sign in"
        fields={[
          email,
          { id: "password", label: "Password", type: "password", autocomplete: "current-password" },
        ]}
        submit={async (value) => {
          const outcome = await signIn(value("email"), value("password"));
          if (outcome === "second-step") setStep("code");
          else arrive();
        }}
      />
      <button type="button" class="button button-plain button-wide" onClick={() => setStep("sso")}>
        Continue with single sign-on
      </button>
      <p class="quiet small">
        Forgot the password? Ask an owner or admin of your organization for a reset link.
      </p>
    </>
  );
}

export function ResetForm({ token }: { token: string }) {
  const [done, setDone] = useState(false);
  if (!token)
    return (
      <div class="note note-bad" role="alert">
        <Icon name="alert" />
        <p>The link is not complete. Ask for a new one.</p>
      </div>
    );
  if (done)
    return (
      <div class="stack">
        <div class="note note-good" role="status">
          <Icon name="check-circle" />
          <p>Your new password is set.</p>
        </div>
        <a class="button button-primary button-wide" href="/sign-in/">
          Sign in
        </a>
      </div>
    );
  return (
    <Form
      action="Set the password"
      fields={[
        {
          id: "new-password",
          label: "New password",
          type: "password",
          autocomplete: "new-password",
          help: "At least 12 characters. Several words are easy to remember.",
        },
      ]}
      submit={async (value) => {
        await resetPassword(token, value("new-password"));
        setDone(true);
      }}
    />
  );
}

/** Whoever was invited joins that org, and needs none of their own. */
const joining = () => nextAddress(location.search).startsWith("/invitations/");

export const SignUpForm = () => (
  <Form
    action="Create account"
    fields={[
      { id: "name", label: "Your name", type: "text", autocomplete: "name" },
      email,
      {
        id: "new-password",
        label: "Password",
        type: "password",
        autocomplete: "new-password",
        help: "At least 12 characters.",
      },
      ...(joining()
        ? []
        : [
            {
              id: "organization",
              label: "Organization",
              type: "text",
              autocomplete: "organization",
              help: "Your clinic, hospital or company. You can invite others later.",
            } as const,
          ]),
    ]}
    submit={async (value) => {
      await signUp(value("name"), value("email"), value("new-password"));
      if (!joining()) await addOrg(value("organization"));
      location.assign(nextAddress(location.search));
    }}
  />
);
