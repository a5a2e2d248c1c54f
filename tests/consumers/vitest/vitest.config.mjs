import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: "threads",
    environment: "happy-dom",
    // The store's host is built code from outside: Node loads it as it is.
    server: { deps: { external: [/livestore/] } },
  },
});
