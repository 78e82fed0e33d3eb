import { AccountBar } from "../components/AccountBar.tsx";
import { announce } from "../lib/announce.tsx";
import { getSession } from "../lib/auth.ts";
import { mount } from "../lib/mount.ts";

const root = document.documentElement;

document.getElementById("theme-toggle")?.addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = (root.dataset["theme"] ?? system) === "dark" ? "light" : "dark";
  root.dataset["theme"] = theme;
  if (root.dataset["storage"] !== "blocked") localStorage.setItem("theme", theme);
});

// On a phone the places are wider than the screen.
document
  .querySelector(".places [aria-current]")
  ?.scrollIntoView({ block: "nearest", inline: "center" });

getSession().then(
  (session) => {
    if (session) mount("account", <AccountBar session={session} />);
  },
  () => {
    root.dataset["account"] = "out";
    announce("We could not tell whether you are signed in. Reload to try again.", "bad");
  },
);
