import { mariadb, mysql } from './mysql.js';
import { postgres } from './postgres.js';
import { sqlite } from './sqlite.js';
import type { DemoTarget, TargetName } from './target.js';

export const targets: Readonly<Record<TargetName, DemoTarget>> = { sqlite, postgres, mysql, mariadb };

/** @throws Error if there is no target of that name. */
export function targetNamed(name: string): TargetName {
  if (Object.hasOwn(targets, name)) return name as TargetName;
  throw new Error(`WB_TARGET (${JSON.stringify(name)}) must be one of ${Object.keys(targets).join(', ')}`);
}
