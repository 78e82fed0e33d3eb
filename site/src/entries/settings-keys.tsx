import { KeysPage } from "../components/settings/KeysPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("settings", (member) => <KeysPage orgId={member.orgId} />);
