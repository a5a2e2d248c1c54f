/** A process whose flags send its notebook to the registry; it says where the notebook's session is. */
import { bridge, configure } from "runtime-bridge";
import { HtmlRuntime } from "../runtimes.js";
import { closeStore, openStore } from "../store.js";
import { routeDocument } from "./bound.js";

const codes: string[] = [];
bridge.on("diagnostic", ({ code }) => codes.push(code));

const { LATCH: latch, CALL: reason } = process.env;
if (reason !== undefined) bridge.kill(reason);
if (latch !== undefined) configure({ guard: { latch } });
configure({ flags: routeDocument("registry") });
const store = await openStore({ storeId: `killed-${process.pid}` });
const runtime = new HtmlRuntime({ store, userId: "u1" });
await runtime.start(store.storeId);
const { kills, notebooks } = bridge.status();
const lease = notebooks[0]?.leases[0];
await runtime.stop();
await closeStore(store);
const isDoubtful = kills.map(({ isDoubtful }) => isDoubtful);
const kill = codes.filter((code) => code.startsWith("KILL"));
console.log(JSON.stringify({ path: lease?.path, reason: lease?.decision.reason, codes: kill, isDoubtful }));
