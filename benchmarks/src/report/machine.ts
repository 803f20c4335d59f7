import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Where something was measured. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly drivers: Readonly<Record<string, string>>;
  /** The load average of the last minute when the run began: what else was going on. */
  readonly load: number;
}

const DRIVERS = ['pg', 'mysql2', 'better-sqlite3'];

export function describeMachine(): Machine {
  const { resolve } = createRequire(import.meta.url);
  const versionOf = (name: string): string => {
    const path = resolve(`${name}/package.json`);
    return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
  };
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    drivers: Object.fromEntries(DRIVERS.map((name) => [name, versionOf(name)])),
    load: loadavg()[0]!,
  };
}

export function formatMachine({ processor, cores, memoryGb, system, node, drivers, load }: Machine): string {
  const versions = Object.entries(drivers).map(([name, version]) => `${name} ${version}`);
  return `${cores} × ${processor}, ${memoryGb} GB, ${system}, Node ${node}, ${versions.join(', ')}; load at the start ${load.toFixed(1)}`;
}
