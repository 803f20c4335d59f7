import { seededRandom } from './random.js';

/** How many take part in a run. */
export interface Crowd {
  readonly memberCount: number;
  readonly groupCount: number;
}

/** For planted faults: some show only where much happens at once, such as the end of many works. */
export const BUSY_CROWD: Crowd = { memberCount: 4, groupCount: 10 };

const MEMBERS = [3, 7] as const;
const MAX_GROUPS = 50;

/** Three to seven members and one to fifty groups, by the seed: few groups as often as many, and others on each target. */
export function crowdOf(seed: number, target: string): Crowd {
  const random = seededRandom([...target].reduce((mixed, letter) => Math.imul(mixed, 31) + letter.charCodeAt(0), seed));
  // The first numbers of seeds that are close to each other are close, too.
  random();
  const [least, most] = MEMBERS;
  return {
    memberCount: least + Math.floor(random() * (most - least + 1)),
    groupCount: Math.round(MAX_GROUPS ** random()),
  };
}
