import type { FaultTarget } from '../target.js';

/** Every target by name. Loaded when it is asked for: a member needs one driver only. */
const targets = {
  sqlite: async () => (await import('./sqlite.js')).sqlite,
  postgres: async () => (await import('./postgres.js')).postgres,
  mysql: async () => (await import('./mysql.js')).mysql,
  mariadb: async () => (await import('./mysql.js')).mariadb,
  'postgres-pair': async () => (await import('./postgres-pair.js')).postgresPair,
  galera: async () => (await import('./galera.js')).galera,
} satisfies Readonly<Record<string, () => Promise<FaultTarget>>>;

export const targetNames: readonly string[] = Object.keys(targets);

export async function loadTarget(name: string): Promise<FaultTarget> {
  const load = (targets as Readonly<Record<string, (() => Promise<FaultTarget>) | undefined>>)[name];
  if (!load) throw new Error(`there is no target ${name}; there are ${targetNames.join(', ')}`);
  return await load();
}
