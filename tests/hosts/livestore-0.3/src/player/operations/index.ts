/** Every operation by name. */
import { type Step, StepError } from "../trace.js";
import { CONFIG_OPERATIONS } from "./config.js";
import { FACTORY_OPERATIONS } from "./factory.js";
import { MANAGER_OPERATIONS } from "./manager.js";
import { innerSteps, type Operations } from "./operation.js";
import { REGISTRY_OPERATIONS } from "./registry.js";
import { RUNTIME_OPERATIONS } from "./runtime.js";
import { STORE_OPERATIONS } from "./store.js";
import { SUBSCRIPTION_OPERATIONS } from "./subscription.js";
import { TIME_OPERATIONS } from "./time.js";

// Without a prototype, so that no step finds a method of objects.
export const OPERATIONS: Operations = Object.assign(Object.create(null) as object, {
  ...TIME_OPERATIONS,
  ...STORE_OPERATIONS,
  ...RUNTIME_OPERATIONS,
  ...SUBSCRIPTION_OPERATIONS,
  ...MANAGER_OPERATIONS,
  ...REGISTRY_OPERATIONS,
  ...FACTORY_OPERATIONS,
  ...CONFIG_OPERATIONS,
});

/** What any call may be told: not to be waited for, and then its name. */
const CALL_ARGS = ["wait", "call"];

/** Throws a {@link StepError} for a step that no operation understands. */
export const checkStep = ({ op, args }: Step): void => {
  const operation = OPERATIONS[op];
  if (operation === undefined) {
    throw new StepError(`unknown operation \`${op}\``, "add it to the player's operations, or leave its suite out");
  }
  const known = [...operation.args, ...CALL_ARGS];
  const unknown = Object.keys(args).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new StepError(`unknown argument \`${unknown}\` of \`${op}\``, `it takes ${known.join(", ")}`);
  }
  operation.check?.(args);
  if (op === "same-tick") innerSteps(args).forEach(checkStep);
};
