// Flow control: one function per feature, as functions.mjs has them.
import { mark } from "./marks.mjs";
import { visit } from "./visits.mjs";

export function addFlow({ fn, on, sdk }) {
  addConcurrency({ fn, on, sdk });
  addStarts({ fn });
  addGrouping({ fn });
  addSingleton({ fn });
  addInvoked({ fn });
  addTogether({ fn, sdk });
}

// What starts a run is all that is of interest.
const started = async ({ event, runId }) => mark(event.data.key, "started", { run: runId, ...event.data });

// Starts, and goes on when the test sends `e2e/go`: until then it waits without a call.
const held = async ({ event, step, runId }) => {
  const { key, ...who } = event.data;
  await step.run("start", () => mark(key, "started", { run: runId, ...who }));
  await step.waitForEvent("go", {
    event: "e2e/go", timeout: "1h", if: "async.data.key == event.data.key && async.data.n == event.data.n",
  });
  return step.run("end", () => mark(key, "ended", { run: runId, ...who }));
};

// Stays in its call until `peers` do so together.
const staying = (peers, fn = "") => ({ event, runId }) => visit(runId, { ...event.data, fn }, peers);

function addConcurrency({ fn, on, sdk }) {
  fn("flow-limit", staying(2), { concurrency: 2 });
  fn("flow-limit-none", staying(5), { concurrency: 0 });
  fn("flow-limit-key", staying(3), { concurrency: { limit: 1, key: "event.data.user" } });
  fn("flow-two-limits", staying(3), { concurrency: [{ limit: 3 }, { limit: 1, key: "event.data.user" }] });
  fn("flow-steps", async ({ event, step, runId }) => {
    const one = (n) => step.run(`s${n}`, () => visit(`${runId} ${n}`, { ...event.data, n }));
    await Promise.all([1, 2, 3].map(one));
  }, { concurrency: 1 });
  fn("flow-waiting", held, { concurrency: { limit: 1 } });
  fn("flow-backoff", async ({ event, attempt }) => {
    mark(event.data.key, "called", event.data.n);
    if (event.data.n === 1 && attempt === 0) throw new sdk.RetryAfterError("later", "1h");
  }, { concurrency: 1 });

  // Limits that functions share, each with its own number.
  const shared = (scope, fn, limit) =>
    on({ event: `e2e/flow-${scope}` },
      { id: `flow-${scope}-${fn}`, concurrency: { scope, key: "event.data.key", limit } },
      staying(limit, fn));
  shared("env", "one", 1);
  shared("env", "two", 2);
  shared("account", "one", 1);
  shared("account", "other", 1);

  // Limits on whole runs. The types of the SDK do not have them, the protocol does.
  fn("flow-run-limit", held, { concurrency: { fn: [{ limit: 1, key: "event.data.user" }] } });
  fn("flow-finish-timeout", held, { concurrency: { fn: [{ limit: 1 }], step: [{ limit: 5 }] }, timeouts: { finish: "1s" } });

  fn("flow-start-timeout", staying(1), { concurrency: 1, timeouts: { start: "1s" } });
  fn("flow-priority", staying(1), {
    concurrency: 1,
    priority: { run: "int(event.data.p)" },
    cancelOn: [{ event: "e2e/flow-priority.cancel", match: "data.n" }],
  });
}

function addStarts({ fn }) {
  fn("flow-throttle", started, { throttle: { limit: 1, period: "2s" } });
  fn("flow-throttle-burst", started, { throttle: { limit: 2, period: "1h", burst: 1 } });
  fn("flow-throttle-key", async ({ event, step, runId }) => {
    const { key, ...who } = event.data;
    await step.run("start", () => mark(key, "started", { run: runId, ...who }));
    await step.sleep("nap", "1s");
    return step.run("end", () => mark(key, "ended", { run: runId, ...who }));
  }, { throttle: { limit: 1, period: "1h", key: "event.data.user" } });

  fn("flow-rate", started, { rateLimit: { limit: 20, period: "1h" } });
  fn("flow-rate-key", started, { rateLimit: { limit: 2, period: "1h", key: "event.data.user" } });
  fn("flow-rate-again", started, { rateLimit: { limit: 1, period: "1s" } });
  fn("flow-idempotency", started, { idempotency: "event.data.user" });
  fn("flow-event-id", started);
}

function addGrouping({ fn }) {
  fn("flow-debounce", started, { debounce: { period: "1s", key: "event.data.user" } });
  fn("flow-debounce-timeout", started, { debounce: { period: "1h", timeout: "6s" } });

  const batch = async ({ events, runId }) =>
    mark(events[0].data.key, "started", { run: runId, all: events.map((e) => e.data.n) });
  fn("flow-batch", batch, { batchEvents: { maxSize: 3, timeout: "1h" } });
  fn("flow-batch-timeout", batch, { batchEvents: { maxSize: 100, timeout: "1s" } });
  fn("flow-batch-key-if", batch, {
    batchEvents: { maxSize: 2, timeout: "1h", key: "event.data.user", if: "event.data.n != 9" },
  });
  fn("flow-batch-failure", async () => {
    throw new Error("broken for good");
  }, {
    batchEvents: { maxSize: 2, timeout: "1h" },
    retries: 0,
    onFailure: async ({ event, step }) => {
      const { event: first, events } = event.data;
      await step.run("note", () => mark(first.data.key, "onFailure", events.map((e) => e.data.n)));
    },
  });
}

function addSingleton({ fn }) {
  fn("flow-singleton", held, { singleton: { mode: "skip" } });
  fn("flow-singleton-skip", held, { singleton: { mode: "skip", key: "event.data.user" } });
  fn("flow-singleton-cancel", held, { singleton: { mode: "cancel", key: "event.data.user" } });
}

// Invoking what has flow control.
function addInvoked({ fn }) {
  const twice = async (step, callee, key) => {
    const one = (n) =>
      step.invoke(`call-${n}`, { function: callee, data: { key, n } }).catch((err) => ({ refused: err.message }));
    return Promise.all([one(1), one(2)]);
  };
  const invoked = (name, opts) => {
    const callee = fn(`flow-invoked-${name}`, async ({ events, runId }) => {
      mark(events[0].data.key, "called");
      return { run: runId, events: events.length };
    }, opts);
    fn(`flow-invoke-${name}`, ({ event, step }) => twice(step, callee, event.data.key));
  };
  invoked("rate", { rateLimit: { limit: 1, period: "1h" } });
  invoked("debounce", { debounce: { period: "1s" } });
  invoked("batch", { batchEvents: { maxSize: 2, timeout: "1h" } });
}

// All that goes together.
function addTogether({ fn }) {
  fn("flow-all", async ({ event, step }) => {
    const { key, n, fail } = event.data;
    await step.run("note", () => mark(key, "noted", n));
    mark(key, "called", n);
    if (fail) throw new Error("broken for good");
    return n;
  }, {
    retries: 1,
    concurrency: [{ limit: 1 }, { limit: 1, key: "event.data.user", scope: "env" }],
    throttle: { limit: 10, period: "1s", key: "event.data.user" },
    rateLimit: { limit: 100, period: "1m", key: "event.data.user" },
    debounce: { period: "1s", timeout: "1m", key: "event.data.user" },
    singleton: { mode: "skip", key: "event.data.user" },
    priority: { run: "int(event.data.n)" },
    timeouts: { start: "1h", finish: "1h" },
    cancelOn: [{ event: "e2e/flow-all.cancel", match: "data.key" }],
    onFailure: async ({ event, error, step }) => {
      const { key, n } = event.data.event.data;
      await step.run("note", () => mark(key, "onFailure", { n, message: error.message }));
    },
  });
}
