import preact from "@astrojs/preact";
import { defineConfig } from "astro/config";

// Nothing is inlined: the Content-Security-Policy allows neither inline scripts nor inline styles.
export default defineConfig({
  outDir: "../dist/site",
  trailingSlash: "always",
  integrations: [preact()],
  build: { inlineStylesheets: "never" },
  devToolbar: { enabled: false },
  vite: { build: { assetsInlineLimit: 0 } },
});
