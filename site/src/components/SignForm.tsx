import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { ApiProblem } from "../lib/api.ts";
import { addOrg, nextAddress, signIn, signUp } from "../lib/auth.ts";
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

export const SignInForm = () => (
  <Form
    action="Sign in"
    fields={[
      email,
      { id: "password", label: "Password", type: "password", autocomplete: "current-password" },
    ]}
    submit={async (value) => {
      await signIn(value("email"), value("password"));
      location.assign(nextAddress(location.search));
    }}
  />
);

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
