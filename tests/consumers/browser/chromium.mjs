// Chromium as npm carries it, or the one that CHROMIUM names.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const folder = join(import.meta.dirname, "node_modules/.chromium");
const DEADLINE_MS = 30_000;
const TYPES = { html: "text/html", js: "text/javascript" };

// One process without a sandbox, which root may not have, and which asks nothing of the network.
const FLAGS = ["--headless=shell", "--single-process", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage"];
const QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function executable() {
  if (process.env["CHROMIUM"]) return process.env["CHROMIUM"];
  // It is unpacked to the folder of temporary files, once.
  mkdirSync(folder, { recursive: true });
  process.env["TMPDIR"] = folder;
  const { default: chromium } = await import("@sparticuz/chromium");
  return chromium.executablePath();
}

/** Serves a folder, opens its page, and gives what the page posts to `/report`. */
export async function open(site) {
  const path = await executable();
  const { promise, resolve, reject } = resolvers();
  const server = createServer(async (request, response) => {
    if (request.url === "/report") return resolve(await json(request));
    const file = request.url === "/" ? "index.html" : request.url.slice(1);
    try {
      const text = await readFile(join(site, file));
      response.setHeader("content-type", TYPES[file.split(".").pop()] ?? "text/plain").end(text);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const profile = join(import.meta.dirname, "profile");
  const url = `http://127.0.0.1:${server.address().port}/`;
  const child = spawn(path, [...FLAGS, ...QUIET, `--user-data-dir=${profile}`, url], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  child.on("error", reject);
  child.on("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${said}`)));
  const timer = setTimeout(() => reject(new Error(`the page reported nothing: ${said}`)), DEADLINE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  }
}

async function json(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

function resolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
