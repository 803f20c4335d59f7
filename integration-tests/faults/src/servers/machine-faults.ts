import type { ServerFault } from '../target.js';
import type { PrivateServer } from './private-server.js';

const NOTHING = (): Promise<void> => Promise.resolve();

/** What can befall a server of any kind. `untilReady` resolves when it answers again. */
export function machineFaults(server: PrivateServer, untilReady: () => Promise<unknown>): ServerFault[] {
  const ready = async (): Promise<void> => void (await untilReady());
  const { fillDisk, setClock } = server;
  const clockFault = (kind: string, offset: string): ServerFault[] =>
    setClock === null
      ? []
      : [
          {
            kind,
            lastsTtls: [0.5, 2],
            movesClock: true,
            inject: async () => {
              await setClock(offset);
              return async () => {
                await setClock('+0');
                await ready();
              };
            },
          },
        ];
  return [
    {
      kind: 'server paused',
      lastsTtls: [0.2, 1.5],
      inject: async () => {
        await server.pause();
        return async () => {
          await server.resume();
          await ready();
        };
      },
    },
    {
      kind: 'server killed',
      lastsTtls: [0, 1],
      inject: async () => {
        await server.kill();
        return async () => {
          await server.start();
          await ready();
        };
      },
    },
    {
      kind: 'server restarted',
      lastsTtls: [0, 0],
      inject: async () => {
        await server.restart();
        await ready();
        return NOTHING;
      },
    },
    ...(fillDisk === null
      ? []
      : [
          {
            kind: 'disk full',
            lastsTtls: [0.5, 1.5],
            inject: async () => {
              const makeRoom = await fillDisk();
              return async () => {
                await makeRoom();
                // It may have ended for want of room.
                await server.start();
                await ready();
              };
            },
          } satisfies ServerFault,
        ]),
    ...clockFault('server clock +1 h and back', '+3600'),
    ...clockFault('server clock -1 h and back', '-3600'),
  ];
}
