/** The machine's monotonic clock in ms: the same for all processes of one machine, and nobody can set it. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The machine's wall clock in ms since 1970: what the scheduled times of jobs are compared with. */
export function wallMs(): number {
  return Date.now();
}
