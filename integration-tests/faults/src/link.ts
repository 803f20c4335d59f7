import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from './target.js';

/** What a member's way to a server is like. */
export type LinkCondition =
  | { readonly kind: 'good' }
  /** Nobody can connect; open connections are reset. */
  | { readonly kind: 'cut' }
  /** What is sent in these directions gets lost, or, when `isKept`, arrives when the hole closes, however late. Nobody is told that anything has ended. */
  | { readonly kind: 'hole'; readonly toServer: boolean; readonly toMember: boolean; readonly isKept: boolean }
  /** Every packet is late by this. */
  | { readonly kind: 'delay'; readonly byMs: number }
  /** A few bytes now and then. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly everyMs: number }
  /** Requests arrive, and the connection is reset instead of the reply. */
  | { readonly kind: 'lost replies' };

const GOOD: LinkCondition = { kind: 'good' };

/** One member's way to one server: a TCP proxy that can become bad. */
export class Link implements Endpoint {
  readonly host = '127.0.0.1';
  readonly #server: Server;
  readonly #upstream: Endpoint;
  readonly #wires = new Set<Wire>();
  #condition: LinkCondition = GOOD;

  private constructor(server: Server, upstream: Endpoint) {
    this.#server = server;
    this.#upstream = upstream;
    server.on('connection', (socket) => this.#join(socket));
  }

  static async open(upstream: Endpoint): Promise<Link> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Link(server, upstream);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get condition(): LinkCondition {
    return this.#condition;
  }

  /** From here on for every connection, old and new. */
  become(condition: LinkCondition): void {
    this.#condition = condition;
    for (const wire of this.#wires) {
      if (condition.kind === 'cut') wire.reset();
      else wire.conditionChanged(condition.kind === 'good');
    }
  }

  heal(): void {
    this.become(GOOD);
  }

  /** The server's ends of the open connections vanish without a word: whoever sends on one of them waits for ever. New connections are good. */
  loseServerEnds(): void {
    for (const wire of this.#wires) wire.loseServerEnd();
  }

  /** The member's ends vanish without a word: the server keeps the connections, and what they have locked, until it looks itself. Returns what ends them. */
  loseMemberEnds(): () => void {
    const lost = [...this.#wires];
    for (const wire of lost) wire.loseMemberEnd();
    return () => {
      for (const wire of lost) wire.reset();
    };
  }

  async close(): Promise<void> {
    for (const wire of this.#wires) wire.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(member: Socket): void {
    if (this.#condition.kind === 'cut') {
      member.on('error', () => undefined);
      member.resetAndDestroy();
      return;
    }
    const { host, port } = this.#upstream;
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const wire = new Wire(
      member,
      server,
      () => this.#condition,
      () => this.#wires.delete(wire),
    );
    this.#wires.add(wire);
  }
}

/** One connection through a link. */
class Wire {
  readonly #member: Socket;
  readonly #server: Socket;
  readonly #toServer: Stream;
  readonly #toMember: Stream;
  readonly #onGone: () => void;
  #isServerLost = false;
  #isMemberLost = false;

  constructor(member: Socket, server: Socket, condition: () => LinkCondition, onGone: () => void) {
    this.#member = member;
    this.#server = server;
    this.#onGone = onGone;
    this.#toServer = new Stream(server, condition, 'toServer', () => this.#isServerLost);
    this.#toMember = new Stream(member, condition, 'toMember', () => this.#isMemberLost);
    member.on('data', (bytes) => this.#toServer.push(bytes));
    server.on('data', (bytes) => {
      if (condition().kind === 'lost replies') this.reset();
      else this.#toMember.push(bytes);
    });
    member.on('end', () => {
      if (this.#isServerLost) this.reset();
      else this.#toServer.push(null);
    });
    server.on('end', () => this.#toMember.push(null));
    // A reset is passed on as a reset, if the way lets it through.
    for (const [socket, stream, isLost] of [
      [member, this.#toServer, () => this.#isMemberLost],
      [server, this.#toMember, () => this.#isServerLost],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (!isLost()) stream.push('close');
        if (member.destroyed && server.destroyed) onGone();
      });
    }
  }

  conditionChanged(isGood: boolean): void {
    this.#toServer.wake();
    this.#toMember.wake();
    // Whoever ended its side while nobody could hear it is heard now.
    const isOver = (socket: Socket): boolean => socket.destroyed || socket.readableEnded;
    if (
      isGood &&
      !this.#isMemberLost &&
      !this.#toServer.isBusy &&
      !this.#toMember.isBusy &&
      (isOver(this.#member) || isOver(this.#server))
    ) {
      this.reset();
    }
  }

  loseServerEnd(): void {
    this.#isServerLost = true;
    this.#server.destroy();
  }

  loseMemberEnd(): void {
    this.#isMemberLost = true;
    this.#member.destroy();
  }

  reset(): void {
    resetSocket(this.#member);
    resetSocket(this.#server);
    this.#onGone();
  }
}

/** One direction of a connection: what came in goes out in this order, as the condition lets it. `null`: no more is sent; `'close'`: the sender is gone. */
class Stream {
  readonly #sink: Socket;
  readonly #condition: () => LinkCondition;
  readonly #direction: 'toServer' | 'toMember';
  readonly #isLost: () => boolean;
  readonly #queue: (Buffer | null | 'close')[] = [];
  #isRunning = false;
  #wake: () => void = () => undefined;

  constructor(sink: Socket, condition: () => LinkCondition, direction: 'toServer' | 'toMember', isLost: () => boolean) {
    this.#sink = sink;
    this.#condition = condition;
    this.#direction = direction;
    this.#isLost = isLost;
  }

  get isBusy(): boolean {
    return this.#queue.length > 0;
  }

  push(bytes: Buffer | null | 'close'): void {
    const condition = this.#condition();
    const isSwallowed = condition.kind === 'hole' && condition[this.#direction] && !condition.isKept;
    if (isSwallowed || this.#isLost()) return;
    if (condition.kind === 'good' && !this.#isRunning) {
      this.#emit(bytes);
      return;
    }
    this.#queue.push(bytes);
    if (!this.#isRunning) void this.#run();
  }

  wake(): void {
    this.#wake();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#queue.length > 0) {
      const condition = this.#condition();
      if (condition.kind === 'hole' && condition[this.#direction]) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const bytes = this.#queue[0]!;
      if (condition.kind === 'delay') await sleep(condition.byMs);
      if (condition.kind === 'drip' && bytes instanceof Buffer && bytes.length > condition.bytes) {
        this.#emit(bytes.subarray(0, condition.bytes));
        this.#queue[0] = bytes.subarray(condition.bytes);
        await sleep(condition.everyMs);
        continue;
      }
      this.#queue.shift();
      this.#emit(bytes);
    }
    this.#isRunning = false;
  }

  #emit(bytes: Buffer | null | 'close'): void {
    if (this.#sink.destroyed) return;
    if (bytes === null) this.#sink.end();
    else if (bytes === 'close') resetSocket(this.#sink);
    else this.#sink.write(bytes);
  }
}

/** Ends a connection by a reset; or quietly, when its end has been sent already: Node cannot reset such a one, and would keep it open for ever. */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
