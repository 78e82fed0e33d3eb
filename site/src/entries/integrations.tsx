import { IntegrationsPage } from "../components/IntegrationsPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("integrations", () => <IntegrationsPage />);
