import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type Direction = 'toServer' | 'toClient';

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'postgres:': 5432, 'postgresql:': 5432, 'mysql:': 3306 };

/** A TCP proxy before a database server. It counts round trips, and can become a black hole, or go away. */
export class TcpProxy {
  #target: URL;
  readonly #listener: Server;
  readonly #wires = new Set<Wire>();
  readonly #holes = new Set<Direction>();
  /** How much later what the server sends arrives, in ms. */
  answerDelayMs = 0;
  #port = 0;
  /** Connections that clients have opened so far. */
  acceptedCount = 0;
  /** How often a client spoke first, or after the server had. */
  roundTripCount = 0;

  private constructor(target: URL) {
    this.#target = target;
    // Half open: a client that says goodbye into a hole is not answered.
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  static async start(targetUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(targetUrl));
    await proxy.restore();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** The target's URL, by way of the proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String(this.#port);
    return url.href;
  }

  /** Connections that clients hold open now. */
  get openCount(): number {
    return [...this.#wires].filter(({ hasClient }) => hasClient).length;
  }

  /** Sockets of the proxy itself. */
  get socketCount(): number {
    return [...this.#wires].flatMap(({ sockets }) => sockets).filter((socket) => !socket.closed).length;
  }

  /** From now on, what is sent in these directions (default: both) gets lost, and so does every goodbye. Connections are accepted all the same. */
  blackHole(...directions: readonly Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (['toServer', 'toClient'] as const)) this.#holes.add(direction);
  }

  /** Ends the black hole. Connections that have lost bytes stay dead, as no stream goes on with a gap in it. */
  heal(): void {
    this.#holes.clear();
  }

  /** Resets every connection; new ones are refused until {@link restore}. */
  async cut(): Promise<void> {
    this.#listener.close();
    for (const wire of this.#wires) wire.reset();
    await once(this.#listener, 'close');
  }

  /** Resets every connection, and leads new ones to another server, as a failover does. */
  async switchTo(targetUrl: string): Promise<void> {
    await this.cut();
    this.#target = new URL(targetUrl);
    await this.restore();
  }

  /** Accepts connections again, on the same port. */
  async restore(): Promise<void> {
    this.#listener.listen(this.#port, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    if (this.#listener.listening) await this.cut();
  }

  #accept(client: Socket): void {
    this.acceptedCount += 1;
    const { hostname, port, protocol } = this.#target;
    const server = connect({ host: hostname, port: Number(port) || (DEFAULT_PORTS[protocol] ?? 0), allowHalfOpen: true, noDelay: true });
    const wire = new Wire(client, server, {
      holes: this.#holes,
      onRoundTrip: () => (this.roundTripCount += 1),
      answerDelayMs: () => this.answerDelayMs,
    });
    this.#wires.add(wire);
    const forget = (): void => {
      if (wire.sockets.every(({ closed }) => closed)) this.#wires.delete(wire);
    };
    for (const socket of wire.sockets) socket.once('close', forget);
  }
}

interface WireOptions {
  readonly holes: ReadonlySet<Direction>;
  readonly onRoundTrip: () => void;
  readonly answerDelayMs: () => number;
}

/** One connection through the proxy. */
class Wire {
  readonly sockets: readonly [client: Socket, server: Socket];
  readonly #holes: ReadonlySet<Direction>;
  /** Directions that have lost something. */
  readonly #dead = new Set<Direction>();
  hasClient = true;

  constructor(client: Socket, server: Socket, { holes, onRoundTrip, answerDelayMs }: WireOptions) {
    this.sockets = [client, server];
    this.#holes = holes;
    let isClientsTurn = true;
    client.on('data', (chunk) => {
      if (isClientsTurn) onRoundTrip();
      isClientsTurn = false;
      if (this.#isThrough('toServer')) server.write(chunk);
    });
    server.on('data', (chunk) => {
      isClientsTurn = true;
      if (!this.#isThrough('toClient')) return;
      const delayMs = answerDelayMs();
      if (delayMs === 0) client.write(chunk);
      else setTimeout(() => client.write(chunk), delayMs);
    });
    client.once('end', () => {
      this.hasClient = false;
      if (this.#isThrough('toServer')) this.reset();
    });
    server.once('end', () => {
      if (this.#isThrough('toClient')) client.end();
    });
    for (const [socket, direction] of [[client, 'toServer'] as const, [server, 'toClient'] as const]) {
      socket.on('error', () => undefined);
      socket.once('close', () => {
        if (socket === client) this.hasClient = false;
        if (this.#isThrough(direction)) this.reset();
      });
    }
  }

  reset(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  #isThrough(direction: Direction): boolean {
    if (this.#holes.has(direction)) this.#dead.add(direction);
    return !this.#dead.has(direction);
  }
}
