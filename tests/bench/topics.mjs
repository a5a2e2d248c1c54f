// The topics by name, each loaded where it is measured.

export const TOPICS = {
  html: () => import("./html.mjs"),
  long: () => import("./long.mjs"),
  decision: () => import("./decision.mjs"),
  apply: () => import("./apply.mjs"),
  file: () => import("./file.mjs"),
  shadow: () => import("./shadow.mjs"),
  memory: () => import("./memory.mjs"),
};
