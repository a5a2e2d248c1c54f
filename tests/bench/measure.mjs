// Arithmetic of measurements, and timing of what takes nanoseconds.

/** The value below which a share of the values lies; the nearest that was measured. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export function median(values) {
  return percentile(values, 0.5);
}

/** Numbers from 0 to 1 that are the same for the same seed, so that every contestant meets the same pauses (mulberry32). */
export function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Nanoseconds a call of each contestant `{ name: (turn) => unknown }`: they take turns, round after round, so that a busy
 * moment of the machine hits all of them. The first rounds warm up. The median over the rounds counts.
 */
export function interleaved(contestants, { rounds, calls }) {
  const warmUpRounds = 3;
  const measured = new Map(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < rounds + warmUpRounds; round += 1) {
    for (const [name, call] of Object.entries(contestants)) {
      const nanoseconds = timeOf(call, calls);
      if (round >= warmUpRounds) measured.get(name).push(nanoseconds);
    }
  }
  return Object.fromEntries([...measured].map(([name, times]) => [name, median(times)]));
}

/** What the calls gave last is kept where the compiler cannot see that nobody reads it. */
export let kept;

function timeOf(call, calls) {
  const began = process.hrtime.bigint();
  for (let turn = 0; turn < calls; turn += 1) kept = call(turn);
  return Number(process.hrtime.bigint() - began) / calls;
}

/**
 * What a piece of work does to an event loop: how long it holds it (`held_ms`), and the longest time between two turns of the
 * loop from before it until `isOver` (`stall_ms`).
 */
export async function stallOf(work, isOver = () => true) {
  await turns(5);
  let longest = 0;
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  await turns(5, look);
  const began = performance.now();
  work();
  const held_ms = performance.now() - began;
  do await turns(5, look);
  while (!isOver());
  return { held_ms, stall_ms: longest };
}

async function turns(count, look = () => undefined) {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    look();
  }
}
