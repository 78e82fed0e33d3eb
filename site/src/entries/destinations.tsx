import { DestinationsPage } from "../components/DestinationsPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("destinations", () => <DestinationsPage />);
