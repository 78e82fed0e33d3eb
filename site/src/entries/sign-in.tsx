import { SignInForm, SignUpForm } from "../components/SignForm.tsx";
import { mount } from "../lib/mount.ts";

const creating = location.pathname.startsWith("/sign-up");
mount("form", creating ? <SignUpForm /> : <SignInForm />);

// The page one came from is kept when changing between signing in and signing up.
const other = document.querySelector<HTMLAnchorElement>("#other");
if (other) other.search = location.search;
const next = new URLSearchParams(location.search).get("next") ?? "";
const reason = document.getElementById("reason");
if (reason && next.includes("configure="))
  reason.textContent = "Sign in to configure this vendor. You come back to where you were.";
else if (reason && next.startsWith("/invitations/"))
  reason.textContent = "Sign in with the address that was invited.";
else if (reason && next) reason.textContent = "Sign in to go on.";
