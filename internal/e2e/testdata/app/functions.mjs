// One function per feature; those of flow control are in flow.mjs. Each listens
// to `e2e/<id>` whose data has a unique `key`; what it returns reaches the test
// through `watch`, which sees every run's `inngest/function.finished`.
import { addFlow } from "./flow.mjs";
import { addIllegal } from "./illegal.mjs";
import { count, mark } from "./marks.mjs";

export async function functions({ sdk, client, v4, origin, illegal }) {
  const { NonRetriableError, RetryAfterError } = sdk;
  const fns = [];

  // SDK 4 takes the triggers among the options, SDK 3 after them.
  const on = (trigger, opts, handler) => {
    const fn = v4
      ? client.createFunction({ ...opts, triggers: [trigger].flat() }, handler)
      : client.createFunction(opts, trigger, handler);
    fns.push(fn);
    return fn;
  };
  const fn = (id, handler, opts = {}) => on({ event: `e2e/${id}` }, { id, ...opts }, handler);

  if (illegal) {
    addIllegal({ fn });
    return fns;
  }

  fn("steps", async ({ event, step, runId }) => {
    const { key } = event.data;
    const a = await step.run("a", () => mark(key, "a", { n: 1, text: "ünïcode ✓" }));
    const b = await step.run("b", () => mark(key, "b", a.n + 1));
    const nothing = await step.run("nothing", () => { mark(key, "nothing"); });
    const c = await step.run("c", () => mark(key, "c", b + 1));
    return { a, b, c, nothing, runId };
  });

  fn("no-steps", async ({ event, attempt }) => ({ key: event.data.key, attempt, v: event.v ?? null }));

  fn("parallel", async ({ event, step }) => {
    const { key } = event.data;
    const parts = await Promise.all(
      [1, 2, 3].map((n) => step.run(`p${n}`, () => mark(key, `p${n}`, n))),
    );
    return step.run("sum", () => mark(key, "sum", parts.reduce((x, y) => x + y)));
  });

  fn("race", async ({ event, step, group }) => {
    const { key } = event.data;
    const race = () => Promise.race([
      step.run("fast", () => mark(key, "fast", "fast")),
      step.sleep("slow", "2s").then(() => "slow"),
    ]);
    return v4 ? group.parallel({ mode: "race" }, race) : race();
  });

  fn("sleep", async ({ event, step }) => {
    const { key } = event.data;
    await step.run("before", () => mark(key, "before"));
    await step.sleep("nap", "1s");
    await step.sleepUntil("until", new Date((await step.run("when", () => Date.now())) + 1500));
    await step.run("after", () => mark(key, "after"));
    return "awake";
  });

  fn("wait", async ({ event, step }) => {
    mark(event.data.key, "called");
    const got = await step.waitForEvent("for-it", {
      event: "e2e/wait.answer",
      timeout: "1m",
      if: "async.data.key == event.data.key && async.data.n > 5",
    });
    return { n: got.data.n, name: got.name };
  });

  fn("wait-timeout", async ({ step }) => ({
    got: await step.waitForEvent("for-nothing", { event: "e2e/never", timeout: "1s" }),
  }));

  const callee = fn("callee", async ({ event, step }) => {
    const doubled = await step.run("double", () => event.data.n * 2);
    if (event.data.fail) throw new NonRetriableError("callee says no");
    return { doubled };
  });
  fn("invoke", async ({ step }) => {
    const ok = await step.invoke("call", { function: callee, data: { n: 21 } });
    let refused = null;
    try {
      await step.invoke("call-failing", { function: callee, data: { n: 1, fail: true } });
    } catch (err) {
      refused = err.message;
    }
    return { ok, refused };
  });

  fn("send", async ({ event, step }) => {
    const { key } = event.data;
    const { ids } = await step.sendEvent("tell", [
      { name: "e2e/sent", data: { key, n: 1 } },
      { name: "e2e/sent", data: { key, n: 2 } },
    ]);
    return { ids: ids.length };
  });
  fn("sent", async ({ event }) => mark(event.data.key, "sent", event.data.n));

  fn("retry", async ({ event, step, attempt }) => {
    const { key } = event.data;
    const a = await step.run("flaky-step", () => {
      mark(key, "flaky-step");
      if (count(key, "flaky-step") < 3) throw new Error("not yet");
      return "step";
    });
    mark(key, "body", attempt);
    if (count(key, "body") < 2) throw new Error("body not yet");
    return a;
  });

  fn("catch", async ({ event, step }) => {
    const { key } = event.data;
    try {
      await step.run("hopeless", () => {
        mark(key, "hopeless");
        throw new TypeError("hopeless indeed");
      });
    } catch (err) {
      return step.run("recover", () => mark(key, "recover", { name: err.name, message: err.message }));
    }
  }, { retries: 1 });

  fn("non-retriable", async ({ event }) => {
    mark(event.data.key, "called");
    throw new NonRetriableError("never again");
  });

  fn("retry-after", async ({ event, attempt }) => {
    mark(event.data.key, "called", attempt);
    if (attempt === 0) throw new RetryAfterError("later", "2s");
    return attempt;
  });

  fn("on-failure", async () => {
    throw new Error("broken for good");
  }, {
    retries: 0,
    onFailure: async ({ event, error, step }) => {
      await step.run("note", () =>
        mark(event.data.event.data.key, "onFailure", { message: error.message, run: event.data.run_id }));
    },
  });

  fn("cancel", async ({ event, step }) => {
    await step.run("before", () => mark(event.data.key, "before"));
    await step.sleep("long", "1h");
    mark(event.data.key, "survived");
  }, { cancelOn: [{ event: "e2e/cancel.now", if: "event.data.key == async.data.key" }] });

  fn("fetch", async ({ step }) => {
    const res = await step.fetch(`${origin()}/echo`, { method: "POST", body: "hello", headers: { "x-e2e": "yes" } });
    return { status: res.status, ...(await res.json()) };
  });

  fn("infer", async ({ step }) => {
    const res = await step.ai.infer("ask", {
      model: sdk.openai({ model: "gpt-e2e", apiKey: "secret", baseUrl: `${origin()}/ai/` }),
      body: { messages: [{ role: "user", content: "ping" }] },
    });
    return { model: res.model, auth: res.auth, text: res.choices[0].message.content };
  });

  fn("signal", async ({ event, step }) => {
    mark(event.data.key, "called");
    return step.waitForSignal("for-signal", { signal: `sig-${event.data.key}`, timeout: "1m", onConflict: "fail" });
  });
  fn("signal-send", async ({ event, step }) => {
    await step.sendSignal("signal", { signal: `sig-${event.data.key}`, data: { hello: "signal" } });
    return "sent";
  });

  on({ event: "e2e/wild.*" }, { id: "wild" }, async ({ event }) => mark(event.data.key, "wild", event.name));

  on({ event: "e2e/filter", if: "event.data.n > 10" }, { id: "filter" }, async ({ event }) => event.data.n);

  fn("big", async ({ step }) => {
    // More state than fits into one request to the app, so that the SDK fetches it.
    const sizes = [];
    for (let i = 0; i < 6; i++) {
      sizes.push((await step.run(`big-${i}`, () => String(i).repeat(1 << 20))).length);
    }
    await step.sleep("nap", "1s");
    return step.run("sum", () => sizes.reduce((x, y) => x + y));
  });

  on({ cron: "* * * * *" }, { id: "cron" }, async ({ event }) => mark("cron", "cron", event.name));

  addFlow({ fn, on, sdk });
  if (v4) await addRealtime({ fn, client });

  on([{ event: "inngest/function.finished" }], { id: "watch" }, async ({ event }) => {
    const { function_id, run_id, result, error, event: cause } = event.data;
    if (function_id.endsWith("-watch")) return;
    mark(cause?.data?.key ?? "none", `finished ${function_id.replace(/^e2e-v\d-/, "")}`, { run_id, result, error });
  });
  on([{ event: "inngest/function.cancelled" }], { id: "watch-cancelled" }, async ({ event }) => {
    mark(event.data.event.data.key, "cancelled", event.data.run_id);
  });
  return fns;
}

// Publishing to a channel and subscribing to it (SDK 4).
async function addRealtime({ fn, client }) {
  globalThis.WebSocket ??= (await import("ws")).WebSocket; // Node 20 has none
  const { channel, staticSchema, subscribe } = await import("inngest4/realtime");
  const news = channel({ name: (key) => `news:${key}`, topics: { flash: { schema: staticSchema() } } });
  fn("realtime", async ({ event, step }) => {
    const { key } = event.data;
    const sub = await subscribe({
      app: client,
      channel: news(key),
      topics: ["flash"],
      onMessage: (m) => mark(key, "message", m.data),
      onError: (err) => mark(key, "subscribe-error", String(err)),
    });
    try {
      await step.realtime.publish("tell", news(key).flash, { text: "hello" });
      await new Promise((ok) => setTimeout(ok, 500));
    } finally {
      sub.unsubscribe?.("done");
    }
    return "published";
  });
}
