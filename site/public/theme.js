// Runs before first paint, so that neither the theme nor the header flickers.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (localStorage.getItem("signed-in")) document.documentElement.dataset.account = "in";
} catch {
  document.documentElement.dataset.storage = "blocked";
}
