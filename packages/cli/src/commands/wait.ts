import type { Command } from 'commander';
import { createCoordinator } from '@wb/core';
import { awaitObservation } from '../await-observation.js';
import { CliError, EXIT } from '../cli-error.js';
import { openNamed, seconds, withCommonOptions, type CommonOptions } from '../common-options.js';
import { print, say } from '../output.js';

/** `wb wait`: until somebody leads. */
export function waitCommand(program: Command): void {
  withCommonOptions(program.command('wait'))
    .summary('wait until a group has a leader, and print it')
    .description('Waits until the group has a leader, and prints its member and its term. Exit code 124 when --timeout has passed.')
    .argument('<group>', 'the group')
    .option('--timeout <seconds>', 'how long to wait at most (default: for ever)', seconds)
    .addHelpText('after', '\nExamples:\n  wb wait billing\n  wb wait billing --timeout 30 || echo "nobody leads"')
    .action(async (groupId: string, options: CommonOptions & { readonly timeout?: number }) => {
      const { store } = await openNamed(options, say, 'await');
      const coordinator = createCoordinator({ store, memberId: 'wb-wait', ttlMs: 5_000, heartbeatMs: 500, migrate: false });
      try {
        const awaited = await awaitObservation(coordinator, groupId, {
          timeoutMs: options.timeout ?? null,
          isSeen: ({ leader }) => leader !== null,
          // It may have been started before the first member ever was.
          mayLackTables: true,
        });
        if (awaited.kind === 'timed-out') {
          const after = `after ${options.timeout! / 1_000} s`;
          const { fault } = awaited;
          const message =
            fault === null
              ? `nobody leads ${JSON.stringify(groupId)} ${after}`
              : `it is not known ${after} whether anybody leads ${JSON.stringify(groupId)}: ${fault.message}`;
          throw new CliError(message, { exitCode: EXIT.timedOut });
        }
        const { leader } = awaited.observation;
        print(`${leader!.memberId} ${leader!.term}`);
      } finally {
        await coordinator.close();
        await store.close();
      }
    });
}
