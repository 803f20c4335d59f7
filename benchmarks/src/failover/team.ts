import { expiryByMachine } from '../databases/expiry.js';
import { pause } from '../measure/clock.js';
import { MemberProcess } from './member-process.js';
import { machineMs, type MemberStart } from './messages.js';

/** Beyond the two heartbeats for which who has resigned lets others go first, in ms. On MySQL watches look less often for a second after a change. */
const CALM_MS = 200;
const MYSQL_CALM_MS = 1_100;

/** The time without a leader, in ms. */
export interface Failover {
  /** Since the leader's end: its kill, its freeze, or the end of its work. */
  readonly sinceEndMs: number;
  /** Since it was possible at all, which is what can be blamed: since the lease had expired by the database; since the database answers again. `null` where that is the leader's end. */
  readonly sinceFloorMs: number | null;
}

/** How a {@link Team} is set up. */
export interface TeamOptions extends Omit<MemberStart, 'memberId'> {
  /** How long the holder of the group still has, by the database, in ms. */
  readonly remainingMs: () => Promise<number>;
}

/** Two members of one group: one leads, the other stands by. */
export class Team {
  readonly #options: TeamOptions;
  #leader: MemberProcess;
  #standby: MemberProcess;
  #startedCount = 0;

  private constructor(options: TeamOptions) {
    this.#options = options;
    this.#leader = this.#start();
    this.#standby = this.#leader;
  }

  static async start(options: TeamOptions): Promise<Team> {
    const team = new Team(options);
    await team.#leader.until('leads', 0);
    await team.#reinforce();
    await team.#calm();
    return team;
  }

  /** The leader resigns. */
  async handOver(): Promise<Failover> {
    const [leader, standby] = [this.#leader, this.#standby];
    const [leaderTold, standbyTold] = [leader.toldCount, standby.toldCount];
    leader.tell({ kind: 'resign' });
    const stopped = await leader.until('stopped', leaderTold);
    // The one that has resigned, if the other does not come in time.
    const over = new AbortController();
    const leads = await Promise.race([
      standby.until('leads', standbyTold, over.signal).then((message) => ({ ...message, next: standby })),
      leader.until('leads', leaderTold, over.signal).then((message) => ({ ...message, next: leader })),
    ]);
    over.abort();
    if (leads.next === standby) {
      [this.#leader, this.#standby] = [standby, leader];
      await leader.until('stands-by', leaderTold);
    }
    await this.#calm();
    return { sinceEndMs: leads.atMs - stopped.atMs, sinceFloorMs: null };
  }

  /** The leader is killed at some moment between two heartbeats. */
  async kill(): Promise<Failover> {
    const leader = this.#leader;
    const failover = await this.#strike('SIGKILL');
    await leader.end();
    await this.#reinforce();
    return failover;
  }

  /** The leader is frozen, and thawed when another leads. */
  async freeze(): Promise<Failover> {
    const leader = this.#leader;
    const from = leader.toldCount;
    const failover = await this.#strike('SIGSTOP');
    leader.signal('SIGCONT');
    this.#standby = leader;
    await leader.until('stands-by', from);
    return failover;
  }

  /**
   * The server goes and comes back.
   * @param interrupt Resolves with when it answered again.
   */
  async interrupt(interrupt: () => Promise<number>): Promise<Failover> {
    const [leader, standby] = [this.#leader, this.#standby];
    const [leaderTold, standbyTold] = [leader.toldCount, standby.toldCount];
    const answersAtMs = await interrupt();
    // Whoever is to lose its trust in this has lost it by then.
    await pause(this.#options.ttlMs);
    if (!leader.hasTold('stopped', leaderTold)) return { sinceEndMs: 0, sinceFloorMs: 0 };
    const { atMs: stoppedAtMs } = await leader.until('stopped', leaderTold);
    const over = new AbortController();
    const leads = await Promise.race([
      standby.until('leads', standbyTold, over.signal).then((message) => ({ ...message, next: standby })),
      leader.until('leads', leaderTold, over.signal).then((message) => ({ ...message, next: leader })),
    ]);
    over.abort();
    if (leads.next === standby) [this.#leader, this.#standby] = [standby, leader];
    await this.#calm();
    return { sinceEndMs: leads.atMs - stoppedAtMs, sinceFloorMs: leads.atMs - answersAtMs };
  }

  async end(): Promise<void> {
    await Promise.all([this.#leader.end(), this.#standby.end()]);
  }

  async #strike(signal: 'SIGKILL' | 'SIGSTOP'): Promise<Failover> {
    const [leader, standby] = [this.#leader, this.#standby];
    const from = standby.toldCount;
    await pause(Math.random() * this.#options.heartbeatMs);
    const endedAtMs = machineMs();
    leader.signal(signal);
    // A heartbeat that is under way may still arrive: not after another one would have.
    await pause(Math.min(50, this.#options.heartbeatMs));
    const expiresAtMs = await expiryByMachine(this.#options.remainingMs);
    const { atMs } = await standby.until('leads', from);
    this.#leader = standby;
    return { sinceEndMs: atMs - endedAtMs, sinceFloorMs: atMs - expiresAtMs };
  }

  /** Until a hand-over is like the one before. */
  async #calm(): Promise<void> {
    const { url, heartbeatMs } = this.#options;
    await pause(2 * heartbeatMs + (url.startsWith('mysql') ? MYSQL_CALM_MS : CALM_MS));
  }

  async #reinforce(): Promise<void> {
    this.#standby = this.#start();
    await this.#standby.until('stands-by', 0);
  }

  #start(): MemberProcess {
    this.#startedCount += 1;
    return new MemberProcess({
      ...this.#options,
      memberId: `${this.#options.url.split(':')[0]!}-${this.#options.kind}-${this.#startedCount}`,
    });
  }
}
