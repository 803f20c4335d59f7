/** A store that is wrong on purpose, to see what a failure looks like: a release does not look at the term (L3). */
import memory from './memory.js';

/** @type {import('@wb/conformance').ConformanceTarget} */
export default {
  ...memory,
  name: 'broken',
  async open(namespace) {
    const store = await memory.open(namespace);
    return {
      ...store,
      async release(sessionId, leases, options) {
        const held = await store.held(sessionId, options);
        const termOf = new Map(held.leases.map(({ groupId, term }) => [groupId, term]));
        const results = await store.release(
          sessionId,
          leases.map(({ groupId, term }) => ({ groupId, term: termOf.get(groupId) ?? term })),
          options,
        );
        return results.map((result, at) => ({ ...result, term: leases[at].term }));
      },
    };
  },
};
