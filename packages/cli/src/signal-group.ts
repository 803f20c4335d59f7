/**
 * Sends a signal to a process group. `'not-permitted'`: all that is in it runs as somebody else (`sudo`), and nothing was sent. `'gone'`: nobody is left in it.
 * @param groupId The process id of its first process.
 */
export function signalGroup(groupId: number, signal: NodeJS.Signals): 'sent' | 'gone' | 'not-permitted' {
  try {
    process.kill(-groupId, signal);
    return 'sent';
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), 'code');
    if (code === 'ESRCH') return 'gone';
    if (code === 'EPERM') return 'not-permitted';
    throw error;
  }
}
