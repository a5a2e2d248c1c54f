import { defineConfig } from "vite";

export default defineConfig({
  // Names stay readable: the test looks for what must not be there.
  build: { target: "es2022", minify: false, modulePreload: false },
});
