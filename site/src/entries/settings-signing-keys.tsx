import { SigningKeysPage } from "../components/settings/SigningKeysPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("settings", (member) => <SigningKeysPage orgId={member.orgId} />);
