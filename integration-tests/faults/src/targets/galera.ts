import { startGaleraCluster, type GaleraNode } from '@wb/test-servers';
import type { FaultTarget, ServerFault, TargetServer } from '../target.js';
import { endpointOf, urlAt } from './endpoint.js';
import { MysqlAdmin } from './mysql-admin.js';
import { openMysql } from './mysql-database.js';

/** MariaDB Galera: three servers that all take writes; the members are spread over them. */
export const galera: FaultTarget = {
  name: 'galera',
  open: openMysql,
  start: async (): Promise<TargetServer | string> => {
    const cluster = await startGaleraCluster();
    if (typeof cluster === 'string') return cluster;
    const { nodes } = cluster;
    // One server's table is behind another's acknowledgement, unless it is asked to catch up first.
    const admin = new MysqlAdmin(() => nodes[0]!.url, 'set session wsrep_sync_wait = 1');
    try {
      await admin.makeLedger();
      return {
        title: `MariaDB Galera ${await admin.untilReady()}, three servers (Docker)`,
        endpoints: (member) => [endpointOf(nodeOf(nodes, member).url)],
        url: ([proxy]) => urlAt(nodes[0]!.url, proxy!),
        faults: nodes.flatMap((node) => nodeFaults(node, () => cluster.untilWhole())),
        readLedger: () => admin.readLedger(),
        readRuns: () => admin.readRuns(),
        stop: () => cluster.stop(),
      };
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  },
};

/** The server that a member, `node-3`, is on. */
function nodeOf(nodes: readonly GaleraNode[], member: string): GaleraNode {
  return nodes[(Number(member.split('-')[1]) - 1) % nodes.length]!;
}

/** What can befall one server; the others go on. */
function nodeFaults(node: GaleraNode, untilWhole: () => Promise<void>): ServerFault[] {
  const number = node.index + 1;
  return [
    {
      kind: `server ${number} killed`,
      lastsTtls: [0, 1],
      inject: async () => {
        await node.kill();
        return async () => {
          await node.start();
          await untilWhole();
        };
      },
    },
    {
      kind: `server ${number} paused`,
      lastsTtls: [0.2, 2],
      inject: async () => {
        await node.pause();
        return async () => {
          await node.resume();
          await untilWhole();
        };
      },
    },
    {
      kind: `server ${number} cut off from the others`,
      lastsTtls: [0.5, 2],
      inject: async () => {
        await node.isolate();
        return async () => {
          await node.rejoin();
          await untilWhole();
        };
      },
    },
  ];
}
