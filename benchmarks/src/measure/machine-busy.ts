import { cpus } from 'node:os';

/** The time of all cores so far, in ms. */
export interface MachineTime {
  readonly idleMs: number;
  readonly totalMs: number;
}

export function machineTime(): MachineTime {
  let [idleMs, totalMs] = [0, 0];
  for (const { times } of cpus()) {
    idleMs += times.idle;
    totalMs += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idleMs, totalMs };
}

/** How much of the machine was busy between two looks, whoever was it: 0 to 1. */
export function busyShare(before: MachineTime, after: MachineTime): number {
  return 1 - (after.idleMs - before.idleMs) / Math.max(1, after.totalMs - before.totalMs);
}
