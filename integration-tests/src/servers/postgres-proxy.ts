import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * A TCP server between the store and PostgreSQL. It counts, and can become a black hole: it then accepts, reads, and never answers or closes anything.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #targetUrl: URL;
  /** Whether bytes go through. */
  isHole = false;
  /** Connections that clients have opened so far. */
  acceptedCount = 0;
  /** How often the server said that it is ready for the next query: once for each round trip, and once for each new connection. */
  readyCount = 0;

  private constructor(server: Server, targetUrl: URL) {
    this.#server = server;
    this.#targetUrl = targetUrl;
    server.on('connection', (client) => this.#accept(client));
  }

  static async start(targetUrl: string): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, new URL(targetUrl));
  }

  /** The target's URL, by way of the proxy. */
  get url(): string {
    const url = new URL(this.#targetUrl);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Client connections that are open now. */
  get openCount(): number {
    return this.#open.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.acceptedCount += 1;
    this.#open.add(client);
    const target = createConnection({ host: this.#targetUrl.hostname, port: Number(this.#targetUrl.port || 5432) });
    const countReady = readyCounter(() => {
      this.readyCount += 1;
    });
    client.on('data', (chunk) => {
      if (!this.isHole) target.write(chunk);
    });
    target.on('data', (chunk) => {
      countReady(chunk);
      if (!this.isHole) client.write(chunk);
    });
    const end = (): void => {
      this.#open.delete(client);
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) {
      socket.on('close', end);
      socket.on('error', end);
    }
  }
}

/** Reads the server's messages: a type, a length that includes itself, a body. */
function readyCounter(onReady: () => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const size = 1 + rest.readInt32BE(1);
      if (rest.length < size) return;
      if (rest[0] === 'Z'.charCodeAt(0)) onReady();
      rest = rest.subarray(size);
    }
  };
}
