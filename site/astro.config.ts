import preact from "@astrojs/preact";
import { defineConfig } from "astro/config";

// Nothing is inlined: the Content-Security-Policy allows neither inline scripts nor inline styles.
export default defineConfig({
  outDir: "../dist/site",
  cacheDir: "../node_modules/.astro",
  trailingSlash: "always",
  integrations: [preact()],
  build: { inlineStylesheets: "never" },
  devToolbar: { enabled: false },
  vite: { cacheDir: "../node_modules/.vite/site", build: { assetsInlineLimit: 0 } },
});
