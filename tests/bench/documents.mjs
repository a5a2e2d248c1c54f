// The flag documents of the benchmarks.

const QUARTER = { fractional: [["registry", 25], ["legacy", 75]] };

/** The document whose one flag sends 25 % of the notebooks to the registry. */
export function quarter() {
  return { flags: { "runtime-route": route(QUARTER) } };
}

/** The same of the notebooks of one runtime type. */
export function quarterOfHtml() {
  return { flags: { "runtime-route": route({ if: [{ in: [{ var: "runtimeType" }, ["html", "sql"]] }, QUARTER, "legacy"] }) } };
}

/**
 * Many flags with targeting, the route among them. Each `edition` is another document: what is in force already would be put
 * in force at no cost.
 */
export function many(count, edition, serving = "registry") {
  const flags = { "runtime-route": route({ if: [{ "==": [{ var: "edition" }, edition] }, "legacy", serving] }) };
  for (let n = 1; n < count; n += 1) flags[`flag-${n}`] = targeted(n, edition);
  return { flags };
}

function targeted(n, edition) {
  const isMeant = { and: [{ in: [{ var: "team" }, ["platform", "docs", `team-${n}`]] }, { ">=": [{ var: "level" }, n % 10] }] };
  return {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: { if: [isMeant, "on", { fractional: [["on", (n + edition) % 100], ["off", 100]] }] },
  };
}

function route(targeting) {
  return { state: "ENABLED", variants: { registry: "registry", legacy: "legacy" }, defaultVariant: "legacy", targeting };
}
