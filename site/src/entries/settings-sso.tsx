import { SsoPage } from "../components/settings/SsoPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("settings", () => <SsoPage />);
