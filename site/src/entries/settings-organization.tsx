import { OrganizationPage } from "../components/settings/OrganizationPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("settings", (member) => <OrganizationPage member={member} />);
