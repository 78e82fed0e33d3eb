import { ActivityPage } from "../components/ActivityPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("activity", () => <ActivityPage />);
