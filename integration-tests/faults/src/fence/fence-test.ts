import { beforeExit } from '@wb/test-servers';
import { seededRandom } from '../random.js';
import type { TargetServer } from '../target.js';
import { loadTarget } from '../targets/index.js';
import type { Outcome } from './writer-messages.js';
import { WriterPair, type FreezePoint } from './writer-pair.js';

/** Options of {@link testFence}. */
export interface FenceTestOptions {
  readonly target: string;
  readonly seed: number;
  /** How often a leader is frozen. */
  readonly freezeCount: number;
  readonly isFenced: boolean;
  /** How often that is done without a fence afterwards, to see that the test would notice. */
  readonly controlCount: number;
}

/** What came of it. */
export interface FenceTestResult {
  readonly target: string;
  readonly title: string;
  readonly freezeCount: number;
  readonly points: Readonly<Record<FreezePoint, number>>;
  /** Writes of a term that came into the database after a later term had written. */
  readonly staleCount: number;
  /** What the frozen ones were told. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** How long it took from the freeze until another had written, in ms. */
  readonly takeoverMs: readonly number[];
  /** Of the control, how many freezes it had, and how many of them did harm. */
  readonly control: { readonly freezeCount: number; readonly harmfulCount: number };
}

/** How many groups there are, each with two writers: freezes in different groups do not wait for each other, but for a lock that is everybody's. */
const GROUP_COUNT = 4;

/** Freezes leaders while they write, lets others take over and write, thaws them, and looks for what they have done. A string says why the target cannot be had. */
export async function testFence({
  target,
  seed,
  freezeCount,
  isFenced,
  controlCount,
}: FenceTestOptions): Promise<FenceTestResult | string> {
  const server = await (await loadTarget(target)).start();
  if (typeof server === 'string') return server;
  const result = {
    target,
    title: server.title,
    freezeCount: 0,
    points: { before: 0, inside: 0 },
    staleCount: 0,
    outcomes: { committed: 0, refused: 0, failed: 0 },
    takeoverMs: [] as number[],
    control: { freezeCount: 0, harmfulCount: 0 },
  };
  try {
    await freezeMany(
      server,
      { target, seed, count: freezeCount, name: 'group', isFenced },
      ({ point, outcome, staleCount, takeoverMs }) => {
        result.freezeCount += 1;
        result.points[point] += 1;
        result.staleCount += staleCount;
        result.outcomes[outcome] += 1;
        if (takeoverMs !== null) result.takeoverMs.push(takeoverMs);
      },
    );
    await freezeMany(server, { target, seed, count: controlCount, name: 'control', isFenced: false }, ({ staleCount }) => {
      result.control.freezeCount += 1;
      if (staleCount > 0) result.control.harmfulCount += 1;
    });
  } finally {
    await server.stop();
  }
  return result;
}

interface Freezes {
  readonly target: string;
  readonly seed: number;
  readonly count: number;
  /** Of the groups. */
  readonly name: string;
  readonly isFenced: boolean;
}

async function freezeMany(
  server: TargetServer,
  { target, seed, count, name, isFenced }: Freezes,
  onFreeze: (freeze: Awaited<ReturnType<WriterPair['freeze']>>) => void,
): Promise<void> {
  const groupCount = Math.min(server.isBlockedByFrozen === undefined ? GROUP_COUNT : 1, count);
  const pairs: WriterPair[] = [];
  const end = async (): Promise<void> => void (await Promise.all(pairs.map((pair) => pair.end())));
  // Also those that are frozen, which do not notice that this program has ended.
  const isEnded = beforeExit(end);
  let leftCount = count;
  try {
    await Promise.all(
      Array.from({ length: groupCount }, async (_, at) => {
        const random = seededRandom(seed * GROUP_COUNT + at);
        const pair = new WriterPair({ server, target, group: `${name}-${at + 1}`, isFenced, random });
        pairs.push(pair);
        while (leftCount > 0) {
          leftCount -= 1;
          onFreeze(await pair.freeze());
        }
      }),
    );
  } finally {
    await end();
    isEnded();
  }
}
