import type { Command } from 'commander';
import { createCoordinator } from '@wb/core';
import { machineClock } from '../clock.js';
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
      const { store } = await openNamed(options, say);
      const coordinator = createCoordinator({ store, memberId: 'wb-wait', ttlMs: 5_000, heartbeatMs: 500 });
      coordinator.on('store-fault', ({ error, failureCount }) => {
        if (failureCount === 1) say(`the store failed, trying on: ${error.message}`);
      });
      try {
        const observer = coordinator.observe(groupId);
        let isTimedOut = false;
        const timer =
          options.timeout === undefined
            ? null
            : machineClock.schedule(options.timeout, () => {
                isTimedOut = true;
                observer.close();
              });
        for await (const { leader } of observer) {
          if (leader === null) continue;
          print(`${leader.memberId} ${leader.term}`);
          break;
        }
        timer?.cancel();
        if (isTimedOut) {
          throw new CliError(`nobody leads ${JSON.stringify(groupId)} after ${options.timeout! / 1_000} s`, { exitCode: EXIT.timedOut });
        }
      } finally {
        await coordinator.close();
        await store.close();
      }
    });
}
