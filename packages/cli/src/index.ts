import { createProgram } from './program.js';
import { reportFailure } from './report-failure.js';
import { surviveClosedPipes } from './closed-pipes.js';

/**
 * Runs the `wb` command. Sets `process.exitCode`, and never rejects.
 * @param argv As `process.argv`.
 */
export async function main(argv: readonly string[]): Promise<void> {
  surviveClosedPipes();
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // Its own option: COMMAND may have one of that name.
    process.exitCode = reportFailure(
      error,
      program.commands.some((command) => command.opts()['verbose'] === true),
    );
  }
}
