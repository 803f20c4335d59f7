export { faultyStore, smoothFate } from './faulty-store.js';
export { Random } from './random.js';
export { Scheduler } from './scheduler.js';
export { VirtualClock } from './virtual-clock.js';
export type { Fate, FaultyStoreOptions } from './faulty-store.js';
export type { VirtualClockOptions } from './virtual-clock.js';
