import { ResetForm } from "../components/SignForm.tsx";
import { mount } from "../lib/mount.ts";

// After the #, so that no server ever logs it.
const token = location.hash.slice(1);
history.replaceState(history.state, "", location.pathname);
mount("form", <ResetForm token={token} />);
