import { SecurityPage } from "../components/settings/SecurityPage.tsx";
import { mountForPerson } from "../lib/gate.tsx";

mountForPerson("settings", () => <SecurityPage />);
