// Runs two things by turns, so that both meet the same machine, and compares their medians.

/** @returns {Promise<{ ours, peer }>} of each the run with the median rate */
export async function byTurns(rounds, ours, peer) {
  const results = { ours: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    results.ours.push(await ours());
    results.peer.push(await peer());
  }
  return { ours: median(results.ours), peer: median(results.peer) };
}

/** The run with the median rate. */
export function median(runs) {
  return runs.sort((a, b) => a.rate - b.rate)[Math.floor(runs.length / 2)];
}

/** The value that a share of the values does not exceed. */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
