import type { LeaseHint } from '@wb/core';

/** How many groups a hint names at most. */
const NAMED_GROUPS = 500;
/** How many groups of a kind have to be looked up for {@link changeHints}: one more than it names. */
export const GROUPS_LOOKED_UP: number = NAMED_GROUPS + 1;

/** A session, as far as its changes are told: all of it changes with a grant, a release, a request to resign and a close, and never with a heartbeat. */
export interface SessionState {
  readonly sessionId: string;
  readonly grantCount: number;
  readonly releaseCount: number;
  readonly closed: number;
}

/** A group that may have changed. */
export interface ChangedGroup {
  readonly groupId: string;
  /** 1 if no session has it. */
  readonly isFree: number;
}

/** Tells what has changed between one look at all sessions and the next, for stores whose database cannot push (W1). */
export class SessionChanges {
  #states: ReadonlyMap<string, SessionState> = new Map();

  /** The sessions that were given or have lost a lease since the look before. */
  since(states: readonly SessionState[]): string[] {
    const before = this.#states;
    this.#states = new Map(states.map((state) => [state.sessionId, state]));
    const changed = states.filter((state) => state.grantCount > 0 && !isSame(state, before.get(state.sessionId)));
    // Closed and pruned in between.
    const gone = [...before.values()].filter(
      ({ sessionId, grantCount, closed }) => grantCount > 0 && closed === 0 && !this.#states.has(sessionId),
    );
    return [...changed, ...gone].map(({ sessionId }) => sessionId);
  }
}

function isSame(state: SessionState, other: SessionState | undefined): boolean {
  return state.grantCount === other?.grantCount && state.releaseCount === other.releaseCount && state.closed === other.closed;
}

/**
 * The hints at a change.
 * @param changed Groups that are free, and groups of the sessions that have changed: at most {@link GROUPS_LOOKED_UP} of each kind.
 * @param asked Those of the named groups whose leaders were asked to resign (R1). Where none are named, everybody looks at everything anyway.
 */
export function changeHints(changed: readonly ChangedGroup[], asked: readonly { readonly groupId: string }[]): LeaseHint[] {
  const [free, held] = [changed.filter(({ isFree }) => isFree === 1), changed.filter(({ isFree }) => isFree !== 1)];
  if ([free, held].some(({ length }) => length > NAMED_GROUPS)) return [{}];
  return [...naming(free, { freed: true }), ...naming(held, {}), ...naming(asked, { resign: true })];
}

function naming(groups: readonly { readonly groupId: string }[], what: LeaseHint): LeaseHint[] {
  return groups.length === 0 ? [] : [{ groupIds: groups.map(({ groupId }) => groupId), ...what }];
}
