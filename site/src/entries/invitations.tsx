import { InvitationCard } from "../components/InvitationCard.tsx";
import { mount } from "../lib/mount.ts";

mount("invitation", <InvitationCard />);
