// The app that the end-to-end tests run: every feature of the TypeScript SDK
// that Ingot serves, once with SDK 4 and once with SDK 3 (functions.mjs).
//
//   INNGEST_DEV=http://127.0.0.1:8288 node app.mjs --sdk 4 [--no-checkpointing] [--streaming] [--port 3000]
//
// With --illegal it has only functions that a server refuses (illegal.mjs).
// Prints `listening <port>` once it serves. Tests read what happened at /marks.
import http from "node:http";
import { parseArgs } from "node:util";
import { functions } from "./functions.mjs";
import { mark, marks } from "./marks.mjs";
import { open } from "./visits.mjs";

const { values: flags } = parseArgs({
  options: {
    sdk: { type: "string", default: "4" },
    "no-checkpointing": { type: "boolean", default: false },
    streaming: { type: "boolean", default: false },
    illegal: { type: "boolean", default: false },
    port: { type: "string", default: "0" },
  },
});
const v4 = flags.sdk === "4";
const sdk = await import(v4 ? "inngest4" : "inngest3");
const adapter = await import(v4 ? "inngest4/node" : "inngest3/node");

const client = new sdk.Inngest({
  id: `e2e-v${flags.sdk}`,
  isDev: true,
  baseUrl: process.env.INNGEST_DEV,
  ...(v4 ? { checkpointing: !flags["no-checkpointing"], endpointAdapter: adapter.endpointAdapter } : {}),
});

const server = http.createServer();
const origin = () => `http://127.0.0.1:${server.address().port}`;
const serve = adapter.serve({
  client,
  functions: await functions({ sdk, client, v4, origin, illegal: flags.illegal }),
  ...(flags.streaming ? { streaming: v4 ? true : "force" } : {}),
});

// A durable endpoint: an ordinary HTTP handler whose steps are durable (SDK 4).
const endpoint =
  v4 &&
  adapter.serveEndpoint(
    client.endpoint(async (req) => {
      const key = new URL(req.url).searchParams.get("key");
      const a = await sdk.step.run("a", () => mark(key, "a", 1));
      await sdk.step.sleep("nap", "1s");
      const b = await sdk.step.run("b", () => mark(key, "b", a + 1));
      return Response.json({ a, b });
    }),
  );

const body = async (req) => {
  const chunks = [];
  for await (const c of req) chunks.push(c);
  return Buffer.concat(chunks).toString();
};
const reply = (res, value, headers = {}) => {
  res.writeHead(200, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify(value));
};

server.on("request", async (req, res) => {
  const url = new URL(req.url, "http://app");
  switch (url.pathname) {
    case "/api/inngest":
      return serve(req, res);
    case "/endpoint":
      return endpoint(req, res);
    case "/marks":
      return reply(res, marks(url.searchParams.get("key")));
    case "/open": // lets those out who hold their call
      return reply(res, open(url.searchParams.get("key")) ?? null);
    case "/echo": // what step.fetch calls
      return reply(res, { method: req.method, body: await body(req), header: req.headers["x-e2e"] ?? null });
    case "/ai/chat/completions": // what step.ai.infer calls
      return reply(res, {
        id: "chat-1",
        model: JSON.parse(await body(req)).model,
        auth: req.headers.authorization,
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "pong" } }],
      });
    default:
      res.writeHead(404).end();
  }
});
server.listen(Number(flags.port), "127.0.0.1", () => console.log(`listening ${server.address().port}`));
// The test that started this process holds its stdin open: no orphans.
process.stdin.on("close", () => process.exit(0)).resume();
