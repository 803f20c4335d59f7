import { constants } from 'node:os';
import { EXIT } from './cli-error.js';
import { say } from './output.js';

/**
 * Whoever reads what is written here may end before (`wb status --watch | head -1`). Nobody to read the answers: `wb` ends as a program does that SIGPIPE ends. Nobody to read the messages (`wb run … 2>&1 | tee log`): nothing follows,
 * for COMMAND is well.
 */
export function surviveClosedPipes(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error) => {
    if (Reflect.get(error, 'code') === 'EPIPE') process.exit(EXIT.signal + constants.signals.SIGPIPE);
    say(`error: nothing can be written to the standard output: ${error.message}`);
    process.exit(EXIT.failed);
  });
}
