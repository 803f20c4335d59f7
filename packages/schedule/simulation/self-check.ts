import { plantedFaults, type PlantedFault } from './plants.js';
import { simulate, type SeedResult } from './simulate.js';

/** The most seeds that a planted fault gets. */
const MAX_SEEDS = 500;

/** A planted fault, and the run that caught it; `null` if none did. */
export interface Catch {
  readonly fault: PlantedFault;
  readonly caught: SeedResult | null;
}

/** Simulates a planted fault, seed by seed, until one of the rules that it breaks is seen broken. */
export async function hunt(fault: PlantedFault): Promise<Catch> {
  for (let seed = 1; seed <= MAX_SEEDS; seed += 1) {
    const result = await simulate(seed, fault);
    if (result.violation && fault.rules.includes(result.violation.rule)) return { fault, caught: result };
  }
  return { fault, caught: null };
}

/** {@link hunt} for all planted faults. */
export async function* selfCheck(): AsyncGenerator<Catch, void, void> {
  for (const fault of plantedFaults) yield await hunt(fault);
}

/** One line about a catch. */
export function describeCatch({ fault, caught }: Catch): string {
  return caught?.violation
    ? `${caught.violation.rule.padEnd(12)}caught with seed ${String(caught.seed).padEnd(5)}${fault.title}`
    : `            NOT CAUGHT            ${fault.title}`;
}
