import { IntegrationPage } from "../components/IntegrationPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("integration", () => <IntegrationPage />);
