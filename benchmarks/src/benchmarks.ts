import type { Benchmark } from './benchmark.js';

/** Every benchmark by name, in the order of a whole run. Loaded when it is asked for. */
const benchmarks = {
  fence: async () => (await import('./fence/fence.js')).fence,
  heartbeat: async () => (await import('./heartbeat/heartbeat.js')).heartbeat,
  jobs: async () => (await import('./jobs/jobs.js')).jobs,
  claim: async () => (await import('./claim/claim.js')).claim,
  failover: async () => (await import('./failover/failover.js')).failover,
  takeover: async () => (await import('./takeover/takeover.js')).takeover,
  scale: async () => (await import('./scale/scale.js')).scale,
  soak: async () => (await import('./soak/soak.js')).soak,
  processes: async () => (await import('./processes/processes.js')).processes,
  peers: async () => (await import('./peers/peers.js')).peers,
} satisfies Readonly<Record<string, () => Promise<Benchmark>>>;

export type BenchmarkName = keyof typeof benchmarks;

export const benchmarkNames: readonly BenchmarkName[] = Object.keys(benchmarks) as BenchmarkName[];

export function isBenchmarkName(name: string): name is BenchmarkName {
  return Object.hasOwn(benchmarks, name);
}

export async function loadBenchmark(name: BenchmarkName): Promise<Benchmark> {
  return await benchmarks[name]();
}
