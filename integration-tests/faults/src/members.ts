import { join } from 'node:path';
import { clockEnvironment, findLibfaketime, setOffset } from './faketime.js';
import { HistoryReader } from './history-reader.js';
import { Link } from './link.js';
import { MemberProcess } from './member-process.js';
import { plantedFaults } from './plants/planted-faults.js';
import type { TargetServer } from './target.js';

export interface MembersOptions {
  readonly target: string;
  readonly server: TargetServer;
  readonly memberCount: number;
  readonly groups: readonly string[];
  readonly jobGroups: readonly string[];
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** A pause between two units of work in one group, in ms, on average. */
  readonly unitMs: number;
  /** Where the histories go. */
  readonly directory: string;
  readonly plant: string | null;
  /** A process ended by itself, or not as it should when it was closed. */
  readonly onUnexpectedEnd: (process: string, how: string) => void;
}

/** How long a member may take to close, in TTLs: its work has to settle, its leases and its session have to be given back to a database that does not answer, until they have expired. */
const CLOSE_TTLS = 5;
/** As long as a server may take to come back, in ms: an occurrence of a job that is under way is run to its end before. */
const CLOSE_WITH_JOBS_MS = 120_000;

/** The members of a run: their processes, their ways to the database, their clocks, and what they have written down. */
export class Members {
  readonly names: readonly string[];
  readonly histories: HistoryReader[] = [];
  readonly #options: MembersOptions;
  readonly #links = new Map<string, readonly Link[]>();
  readonly #processes: MemberProcess[] = [];
  readonly #libfaketime = findLibfaketime();

  private constructor(options: MembersOptions) {
    this.#options = options;
    this.names = Array.from({ length: options.memberCount }, (_, at) => `node-${at + 1}`);
  }

  /** Opens every member's way to the database, and starts them all. */
  static async start(options: MembersOptions): Promise<Members> {
    const members = new Members(options);
    for (const name of members.names) {
      members.#links.set(name, await Promise.all(options.server.endpoints(name).map((endpoint) => Link.open(endpoint))));
      if (members.canSetClocks) members.setClock(name, '+0');
    }
    for (const name of members.names) members.start(name);
    return members;
  }

  /** How long a member gives a call to the database, in ms: the default of the timings. */
  get callDeadlineMs(): number {
    const { ttlMs, heartbeatMs } = this.#options;
    return Math.floor((ttlMs - heartbeatMs - ttlMs / 10) / 3);
  }

  get groups(): readonly string[] {
    return this.#options.groups;
  }

  /** The groups with a job each. */
  get jobGroups(): readonly string[] {
    return this.#options.jobGroups;
  }

  /** Whether a member's wall clock can be moved: with libfaketime, and if the database's clock is not the member's own. */
  get canSetClocks(): boolean {
    return this.#libfaketime !== null && this.#options.server.clockFile === undefined;
  }

  /** Another process of this member. */
  start(member: string): MemberProcess {
    const { target, server, groups, jobGroups, ttlMs, heartbeatMs, unitMs, directory, plant, onUnexpectedEnd } = this.#options;
    const process = `${member}.${this.#processes.length + 1}`;
    const historyPath = join(directory, `${process}.jsonl`);
    this.histories.push(new HistoryReader(process, historyPath));
    const url = server.url(this.links(member));
    const started = new MemberProcess(
      {
        member,
        process,
        target,
        url,
        groups,
        jobGroups,
        ttlMs,
        heartbeatMs,
        unitMs,
        historyPath,
        plant,
        isPatched: plant !== null && plantedFaults[plant]!.patches !== undefined,
      },
      this.#libfaketime === null ? {} : { LD_PRELOAD: this.#libfaketime, ...clockEnvironment(this.#offsetFile(member)) },
      (how) => onUnexpectedEnd(process, how),
    );
    this.#processes.push(started);
    return started;
  }

  /** The processes that live and have not been told to end. */
  alive(): MemberProcess[] {
    return this.#processes.filter((process) => process.isAlive && !process.mayEnd);
  }

  /** The groups that a process leads, as far as its history was read. */
  ledBy(process: MemberProcess): string[] {
    const history = this.histories.find((each) => each.process === process.start.process);
    return [...(history?.led ?? [])];
  }

  links(member: string): readonly Link[] {
    return this.#links.get(member)!;
  }

  setClock(member: string, offset: string): void {
    setOffset(this.#offsetFile(member), offset);
  }

  async isBlockedByFrozen(): Promise<boolean> {
    return (await this.#options.server.isBlockedByFrozen?.()) ?? false;
  }

  /** How often work has begun so far, as far as it was read. */
  get beginCount(): number {
    return this.histories.reduce((count, history) => count + history.beginCount, 0);
  }

  /** Reads what the histories have become. */
  poll(): void {
    for (const history of this.histories) history.poll();
  }

  /** Ends a process in an orderly way. */
  async close(process: MemberProcess): Promise<void> {
    const { ttlMs, jobGroups } = this.#options;
    const problem = await process.close(jobGroups.length === 0 ? CLOSE_TTLS * ttlMs : CLOSE_WITH_JOBS_MS);
    if (problem !== null) this.#options.onUnexpectedEnd(process.start.process, problem);
  }

  /** Ends every process in an orderly way. */
  async closeAll(): Promise<void> {
    await Promise.all(this.alive().map((process) => this.close(process)));
  }

  /** Leaves nothing behind but the histories. */
  async dispose(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
    await Promise.all([...this.#links.values()].flat().map((link) => link.close()));
    this.#links.clear();
    for (const history of this.histories) history.close();
  }

  #offsetFile(member: string): string {
    // The database's clock is the machine's: all members share it.
    return this.#options.server.clockFile ?? join(this.#options.directory, `${member}.clock`);
  }
}
