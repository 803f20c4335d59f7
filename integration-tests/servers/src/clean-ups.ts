type CleanUp = () => Promise<unknown> | void;

const cleanUps = new Set<CleanUp>();

/** What has to be done before this program ends, should it be interrupted: see {@link cleanUpWhenInterrupted}. Returns what takes it back, when it has been done. */
export function beforeExit(cleanUp: CleanUp): () => void {
  cleanUps.add(cleanUp);
  return () => cleanUps.delete(cleanUp);
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Leaves nothing behind when this program is interrupted, or fails where nobody catches it: ends what it has started, the last first. A second signal ends it at once. */
export function cleanUpWhenInterrupted(): void {
  let isEnding = false;
  const end = (code: number): void => {
    if (isEnding) process.exit(code);
    isEnding = true;
    void cleanUpAll().finally(() => process.exit(code));
  };
  for (const [signal, number] of Object.entries(SIGNALS)) process.on(signal, () => end(128 + number));
  process.on('uncaughtException', (error) => {
    say(error);
    // What is under way may well fail when its server is taken from it: no reason to leave the rest behind.
    if (!isEnding) end(1);
  });
}

async function cleanUpAll(): Promise<void> {
  for (const cleanUp of [...cleanUps].toReversed()) {
    try {
      await cleanUp();
    } catch (error) {
      say(error);
    }
  }
}

function say(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
}
