import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const WB = join(dirname(createRequire(import.meta.url).resolve('@wb/cli')), '..', 'bin', 'wb.js');
/** Says when it begins, and which process it is. */
const COMMAND: readonly [string, ...string[]] = ['sh', '-c', 'echo "$WB_MEMBER $$ $(date +%s%N)"; exec sleep 600'];
const LIMIT_MS = 60_000;

/** A start of the command. */
interface Begun {
  readonly memberId: string;
  readonly pid: number;
  readonly atMs: number;
}

/** Two `wb run` with the same command, of which one runs it. */
export class Supervised {
  readonly #arguments: readonly string[];
  readonly #children = new Map<string, ChildProcess>();
  readonly #begun: Begun[] = [];
  readonly #looks = new Set<() => void>();
  #startedCount = 0;
  #standbyCount = 0;

  private constructor(url: string, namespace: string, ttlMs: number) {
    this.#arguments = ['--store', url, '--namespace', namespace, '--group', 'group', '--ttl', String(ttlMs / 1_000), '--on-exit', 'yield'];
  }

  static async start(url: string, namespace: string, ttlMs: number): Promise<Supervised> {
    const supervised = new Supervised(url, namespace, ttlMs);
    supervised.#run();
    await supervised.#until(() => supervised.#begun.length === 1);
    await supervised.#reinforce();
    return supervised;
  }

  /** Kills the command; resolves with how long it took until the other one has started it, in ms. */
  async crash(): Promise<number> {
    const { pid, memberId } = this.#begun.at(-1)!;
    const beginCount = this.#begun.length;
    const killedAtMs = performance.timeOrigin + performance.now();
    process.kill(pid, 'SIGKILL');
    await this.#until(() => this.#begun.length > beginCount);
    const { atMs } = this.#begun.at(-1)!;
    // Whose command fails backs off, longer each time: another takes its place.
    await this.#stop(memberId);
    await this.#reinforce();
    return atMs - killedAtMs;
  }

  /** How long it takes to start the command and nothing else, in ms: no crash is made good sooner. */
  static async startOnly(): Promise<number> {
    const startedAtMs = performance.timeOrigin + performance.now();
    const [file, ...args] = COMMAND;
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    child.kill('SIGKILL');
    return Number(line.trim().split(' ').at(-1)) / 1_000_000 - startedAtMs;
  }

  async end(): Promise<void> {
    for (const memberId of this.#children.keys()) await this.#stop(memberId);
  }

  /** One more, that stands by. */
  async #reinforce(): Promise<void> {
    const before = this.#standbyCount;
    this.#run();
    await this.#until(() => this.#standbyCount > before);
  }

  #run(): void {
    this.#startedCount += 1;
    const memberId = `member-${this.#startedCount}`;
    const args = [WB, 'run', ...this.#arguments, '--member', memberId, '--', ...COMMAND];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.set(memberId, child);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [name, pid, atNs] = line.split(' ');
      if (name === memberId) this.#note(() => this.#begun.push({ memberId, pid: Number(pid), atMs: Number(atNs) / 1_000_000 }));
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.includes('standing by:')) this.#note(() => (this.#standbyCount += 1));
    });
  }

  async #stop(memberId: string): Promise<void> {
    const child = this.#children.get(memberId)!;
    this.#children.delete(memberId);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  #note(change: () => void): void {
    change();
    for (const look of this.#looks) look();
  }

  async #until(isSo: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const over = setTimeout(() => reject(new Error(`\`wb run\` was not where it should be within ${LIMIT_MS} ms`)), LIMIT_MS);
      const look = (): void => {
        if (!isSo()) return;
        clearTimeout(over);
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }
}
