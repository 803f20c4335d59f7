/** What an exit code says. */
export interface ExitCodeMeaning {
  readonly code: string;
  readonly meaning: string;
}

/** All of them, for the help and the documentation. */
export const EXIT_CODES: readonly ExitCodeMeaning[] = Object.freeze([
  { code: '1', meaning: '`wb doctor` has found a problem' },
  { code: '124', meaning: 'the time given by --timeout has passed' },
  { code: '125', meaning: '`wb` itself failed: usage, configuration, database' },
  { code: '126', meaning: 'COMMAND cannot be run' },
  { code: '127', meaning: 'COMMAND was not found' },
  { code: '128 + n', meaning: 'signal n ended COMMAND, or `wb` while it stood by' },
  { code: 'else', meaning: 'that of COMMAND' },
]);
