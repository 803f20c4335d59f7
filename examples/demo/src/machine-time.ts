/**
 * Now, in ms on the machine's monotonic clock. All processes of a machine share it, and nothing sets it: an instant that a member reports can be compared
 * with one of the driver's. It has no meaning beyond this demo's measurements; who leads is decided by the store's clock alone.
 */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
