/** A record such as `@wb/schedule` writes: of an hourly job, with its last eight outcomes. */
export function sampleRecord(count: number): string {
  const hourMs = 3_600_000;
  const occurrence = (number: number): object => ({
    occurrence: number,
    scheduledAtMs: 1_767_225_600_000 + number * hourMs,
    cause: 'schedule',
    startedAtMs: 1_767_225_600_012 + number * hourMs,
    busySinceMs: 1_767_225_600_012 + number * hourMs,
    attempt: 1,
    term: 4,
    memberId: 'node-a.example.org',
  });
  return JSON.stringify({
    format: 1,
    endReason: null,
    isPaused: false,
    isRestarting: false,
    trigger: `every ${hourMs} ms`,
    anchorAtMs: 1_767_225_600_000,
    cursorAtMs: 1_767_225_600_000 + count * hourMs,
    nextAtMs: 1_767_225_600_000 + (count + 1) * hourMs,
    count,
    runCount: count,
    failedCount: 0,
    skippedCount: 0,
    requestedAtMs: null,
    requestId: null,
    answer: null,
    running: { ...occurrence(count), rerunCount: 0, retryAtMs: null, interruptedAtMs: null, checkpoint: null },
    history: Array.from({ length: 8 }, (_, at) => ({
      ...occurrence(count - at - 1),
      endedAtMs: 1_767_225_604_000,
      outcome: 'succeeded',
      error: null,
    })),
  });
}
