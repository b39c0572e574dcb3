// What happened, by the key that the test put into its event.
const log = new Map();

/** Remembers that `what` happened and returns `value`. */
export const mark = (key, what, value = null) => {
  if (!log.has(key)) log.set(key, []);
  log.get(key).push({ what, value, at: Date.now() });
  return value;
};

export const marks = (key) => log.get(key) ?? [];

/** How often `what` happened. */
export const count = (key, what) => marks(key).filter((m) => m.what === what).length;
