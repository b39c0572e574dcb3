// Functions that a server refuses: one per combination or setting.
export function addIllegal({ fn }) {
  const none = async () => null;
  const batchEvents = { maxSize: 10, timeout: "5s" };
  fn("batch-cancel", none, { batchEvents, cancelOn: [{ event: "e2e/stop" }] });
  fn("batch-debounce", none, { batchEvents, debounce: { period: "5s" } });
  fn("batch-singleton", none, { batchEvents, singleton: { mode: "skip" } });
  fn("batch-priority", none, { batchEvents, priority: { run: "event.data.p" } });
  fn("batch-size", none, { batchEvents: { maxSize: 1, timeout: "5s" } });
  fn("batch-timeout", none, { batchEvents: { maxSize: 10, timeout: "100ms" } });
  fn("batch-key", none, { batchEvents: { ...batchEvents, key: "event.data." } });
  fn("batch-if", none, { batchEvents: { ...batchEvents, if: "event.data." } });
  fn("debounce-short", none, { debounce: { period: "100ms" } });
  fn("debounce-long", none, { debounce: { period: "8d" } });
  fn("debounce-key", none, { debounce: { period: "5s", key: "event.data." } });
  fn("rate-limit", none, { rateLimit: { limit: 0, period: "1m" } });
  fn("rate-period", none, { rateLimit: { limit: 1, period: "25h" } });
  fn("idempotency", none, { idempotency: "event.data." });
  fn("three-limits", none, { concurrency: [{ limit: 1 }, { limit: 2, key: "event.data.a" }, { limit: 3, key: "event.data.b" }] });
  fn("env-without-key", none, { concurrency: { limit: 1, scope: "env" } });
  fn("account-without-key", none, { concurrency: { limit: 1, scope: "account" } });
  fn("limit-key", none, { concurrency: { limit: 1, key: "event.data." } });
  fn("two-run-limits", none, { concurrency: { fn: [{ limit: 1 }, { limit: 2, key: "event.data.a" }] } });
  fn("run-limit-zero", none, { concurrency: { fn: [{ limit: 0 }] } });
  fn("priority", none, { priority: { run: "event.data." } });
}
