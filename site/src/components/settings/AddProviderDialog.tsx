import { useState } from "preact/hooks";

import { ApiProblem } from "../../lib/api.ts";
import { addProvider, type NewProvider } from "../../lib/sso.ts";
import { Field } from "./Field.tsx";
import { FormDialog } from "./FormDialog.tsx";

const fields: readonly {
  name: keyof NewProvider;
  label: string;
  help: string;
  type?: "password";
}[] = [
  { name: "name", label: "Name", help: "How you call it, such as Clinic directory." },
  {
    name: "domain",
    label: "Email domain",
    help: "What follows the @ in your people’s addresses, such as clinic.org.",
  },
  {
    name: "issuer",
    label: "Issuer",
    help: "Entra: https://login.microsoftonline.com/<tenant id>/v2.0 · Okta: https://<you>.okta.com · Keycloak: https://<host>/realms/<realm>",
  },
  { name: "client_id", label: "Client ID", help: "Of the application that you register there." },
  {
    name: "client_secret",
    label: "Client secret",
    help: "Kept encrypted, and never shown again.",
    type: "password",
  },
];

const nothing: NewProvider = { name: "", domain: "", issuer: "", client_id: "", client_secret: "" };

export function AddProviderDialog(props: { onClose: () => void; onAdded: () => void }) {
  const [entered, setEntered] = useState(nothing);
  const [complaints, setComplaints] = useState<Readonly<Record<string, string>>>({});

  return (
    <FormDialog
      title="Add a provider"
      action="Add"
      ready={Object.values(entered).every((value) => value.trim() !== "")}
      onClose={props.onClose}
      onSubmit={async () => {
        setComplaints({});
        try {
          await addProvider(entered);
        } catch (error) {
          if (!(error instanceof ApiProblem) || !error.errors.length) throw error;
          setComplaints(
            Object.fromEntries(error.errors.map(({ path, message }) => [path, message])),
          );
          return;
        }
        props.onAdded();
      }}
    >
      {fields.map(({ name, ...field }) => (
        <Field
          key={name}
          id={`provider-${name}`}
          autocomplete="off"
          {...field}
          value={entered[name]}
          complaint={complaints[name]}
          onValue={(value) => setEntered({ ...entered, [name]: value })}
        />
      ))}
    </FormDialog>
  );
}
