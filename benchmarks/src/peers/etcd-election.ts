import { Etcd3, type Campaign } from 'etcd3';
import { countCalls } from './count-calls.js';
import type { Peer } from './peer.js';

/** etcd's own election, which waits on a watch, in the order of arrival. */
export const etcdElection: Peer = {
  name: 'etcd3, election',
  backing: 'etcd',
  maxGroups: 500,
  differences:
    'a server made for this, replicated by consensus: it survives the loss of a minority of its nodes without losing a grant, and pushes both release and expiry to the next in line. That is more than one database server gives. The revision of its key can serve as a term. The shortest TTL is 1 s, in whole seconds; the server looks for expired leases every 500 ms. One lease, and so one stream of keep-alives, for each group. A lost lease is an `error` event; nothing aborts the work. It is one more system to run.',
  open: ({ url, namespace, ttlMs, memberId }) => {
    const client = new Etcd3({ hosts: url });
    // Keep-alives go over a stream of their own.
    const callCount = sum(
      countCalls(Object.getPrototypeOf(Reflect.get(client, 'pool') as object) as object, 'exec'),
      countCalls(Object.getPrototypeOf(client.lease(60, { autoKeepAlive: false })) as object, 'fireKeepAlive'),
    );
    const campaigns = new Map<string, Campaign>();
    const campaign = (group: string): Campaign => {
      const started = client.election(`${namespace}${group}`, Math.ceil(ttlMs / 1_000)).campaign(memberId);
      started.on('error', () => undefined);
      return started;
    };
    return Promise.resolve({
      acquire: async (group) => {
        const started = campaign(group);
        const isElected = await new Promise<boolean>((resolve) => {
          started.once('elected', () => resolve(true));
          started.once('_isWaiting', () => resolve(false));
        });
        if (isElected) campaigns.set(group, started);
        else await started.resign();
        return isElected;
      },
      release: (group) => campaigns.get(group)!.resign(),
      lead: async (group) => {
        const started = campaign(group);
        await started.wait();
        return () => started.resign();
      },
      callCount,
      close: () => {
        client.close();
        return Promise.resolve();
      },
    });
  },
};

function sum(...counts: readonly (() => number)[]): () => number {
  return () => counts.reduce((total, count) => total + count(), 0);
}
