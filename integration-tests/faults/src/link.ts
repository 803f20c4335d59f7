import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './machine-time.js';
import type { Endpoint } from './target.js';

/** What a member's way to a server is like. */
export type LinkCondition =
  | { readonly kind: 'good' }
  /** Nobody can connect; open connections are reset. */
  | { readonly kind: 'cut' }
  /**
   * What is sent in these directions gets lost, or, when `isKept`, arrives when the hole closes, however late. Nobody is told that anything has ended. A connection that has lost something stays dead in
   * that direction, as no stream goes on with a gap in it.
   */
  | { readonly kind: 'hole'; readonly toServer: boolean; readonly toMember: boolean; readonly isKept: boolean }
  /** Every packet is late by this, one way and the other. */
  | { readonly kind: 'delay'; readonly toServerMs: number; readonly toMemberMs: number }
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
      else wire.conditionChanged();
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
      this.#endDead();
    });
    server.on('end', () => {
      this.#toMember.push(null);
      this.#endDead();
    });
    // A reset is passed on as a reset, if the way lets it through.
    for (const [socket, stream, isLost] of [
      [member, this.#toServer, () => this.#isMemberLost],
      [server, this.#toMember, () => this.#isServerLost],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (!isLost()) stream.push('close');
        if (member.destroyed && server.destroyed) onGone();
        else this.#endDead();
      });
    }
  }

  conditionChanged(): void {
    this.#toServer.wake();
    this.#toMember.wake();
    this.#endDead();
  }

  /** Of a dead connection nobody hears the end. It is over when one end has gone and the way is good again: else the other would keep it for ever. */
  #endDead(): void {
    const isOver = (socket: Socket, isLost: boolean): boolean => !isLost && (socket.destroyed || socket.readableEnded);
    if (
      (this.#toServer.isDead && isOver(this.#member, this.#isMemberLost)) ||
      (this.#toMember.isDead && isOver(this.#server, this.#isServerLost))
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

/** What is sent: bytes; `null`: no more will be; `'close'`: the sender is gone. */
type Sent = Buffer | null | 'close';

/** One direction of a connection: what came in goes out in this order, as the condition lets it. */
class Stream {
  readonly #sink: Socket;
  readonly #condition: () => LinkCondition;
  readonly #direction: 'toServer' | 'toMember';
  readonly #isLost: () => boolean;
  readonly #queue: { sent: Sent; readonly dueAtMs: number }[] = [];
  #hasLostBytes = false;
  #isRunning = false;
  #wake: () => void = () => undefined;

  constructor(sink: Socket, condition: () => LinkCondition, direction: 'toServer' | 'toMember', isLost: () => boolean) {
    this.#sink = sink;
    this.#condition = condition;
    this.#direction = direction;
    this.#isLost = isLost;
  }

  /** Whether something has got lost in it, and the hole is closed. */
  get isDead(): boolean {
    return this.#hasLostBytes && !this.#isInHole;
  }

  get #isInHole(): boolean {
    const condition = this.#condition();
    return condition.kind === 'hole' && condition[this.#direction];
  }

  push(sent: Sent): void {
    const condition = this.#condition();
    if (this.#isInHole && condition.kind === 'hole' && !condition.isKept) this.#hasLostBytes = true;
    if (this.#hasLostBytes || this.#isLost()) return;
    if (condition.kind === 'good' && !this.#isRunning) {
      this.#emit(sent);
      return;
    }
    const lateByMs = condition.kind === 'delay' ? condition[`${this.#direction}Ms`] : 0;
    this.#queue.push({ sent, dueAtMs: nowMs() + lateByMs });
    if (!this.#isRunning) void this.#run();
  }

  wake(): void {
    this.#wake();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#queue.length > 0) {
      if (this.#isInHole) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const first = this.#queue[0]!;
      const { sent } = first;
      const waitMs = first.dueAtMs - nowMs();
      if (waitMs > 0) {
        await sleep(waitMs);
        continue;
      }
      const condition = this.#condition();
      if (condition.kind === 'drip' && sent instanceof Buffer && sent.length > condition.bytes) {
        this.#emit(sent.subarray(0, condition.bytes));
        first.sent = sent.subarray(condition.bytes);
        await sleep(condition.everyMs);
        continue;
      }
      this.#queue.shift();
      this.#emit(sent);
    }
    this.#isRunning = false;
  }

  #emit(sent: Sent): void {
    if (this.#sink.destroyed) return;
    if (sent === null) this.#sink.end();
    else if (sent === 'close') resetSocket(this.#sink);
    else this.#sink.write(sent);
  }
}

/** Ends a connection by a reset; or quietly, when its end has been sent already: Node cannot reset such a one, and would keep it open for ever. */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
