/** Two things, measured one right after the other. */
export interface Pair<T> {
  readonly ours: T;
  readonly theirs: T;
}

/**
 * Measures two things in turns, so that whatever else the machine is doing meets both alike: A B, B A, A B, … The first turn warms up and is thrown away. What is compared is the two of a
 * pair, never a run of now with one of a minute ago.
 */
export async function interleaved<T>(turns: number, ours: () => Promise<T>, theirs: () => Promise<T>): Promise<readonly Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let turn = 0; turn <= turns; turn += 1) {
    let pair: Pair<T>;
    if (turn % 2 === 0) {
      const first = await ours();
      pair = { ours: first, theirs: await theirs() };
    } else {
      const first = await theirs();
      pair = { ours: await ours(), theirs: first };
    }
    if (turn > 0) pairs.push(pair);
  }
  return pairs;
}
