import { EventsPage } from "../components/EventsPage.tsx";
import { mountForMember } from "../lib/gate.tsx";

mountForMember("events", () => <EventsPage />);
