import { createProgram } from './program.js';
import { reportFailure } from './report-failure.js';

/**
 * Runs the `wb` command. Sets `process.exitCode`, and never rejects.
 * @param argv As `process.argv`.
 */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...argv]);
  } catch (error) {
    process.exitCode = reportFailure(error, argv.includes('--verbose'));
  }
}
