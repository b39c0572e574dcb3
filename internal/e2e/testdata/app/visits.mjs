// Who is inside of function bodies at the same time, by the key that the test put
// into its event. Calls of one run count once: a server that was killed makes the
// call again, and the app is not told that the first one is in vain.
import { mark } from "./marks.mjs";

const rooms = new Map();
const room = (key) => {
  if (!rooms.has(key)) {
    const r = { here: new Set(), most: 0 };
    r.opened = new Promise((open) => { r.open = open; });
    rooms.set(key, r);
  }
  return rooms.get(key);
};

/** Lets those out who `hold`, now and later. */
export const open = (key) => room(key).open();

/**
 * Goes in, tells who else is there, and stays: with `hold` until the test opens,
 * else until `peers` of them were together (at most 10 s), and then a moment
 * longer, in which one too many would show.
 */
export const visit = async (run, { key, hold = false, ...who }, peers = 1) => {
  const r = room(key);
  const me = { run, ...who };
  r.here.add(me);
  const inside = [...new Map([...r.here].map((v) => [v.run, v])).values()];
  r.most = Math.max(r.most, inside.length);
  mark(key, "in", { ...me, inside });
  if (hold) await r.opened;
  for (let i = 0; r.most < peers && i < 1000; i++) await pause(10);
  await pause(150);
  r.here.delete(me);
  return mark(key, "out", me);
};

const pause = (ms) => new Promise((ok) => setTimeout(ok, ms));
