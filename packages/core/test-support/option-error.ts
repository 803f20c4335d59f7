import { WbOptionError } from '../src/errors.js';

/** The option error that `run` throws; anything else fails the test. */
export function optionErrorOf(run: () => unknown): WbOptionError {
  try {
    run();
  } catch (error) {
    if (error instanceof WbOptionError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
