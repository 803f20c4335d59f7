import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy before a server: counts round trips, and can turn into a black hole that accepts, swallows and never answers. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly url: string;
  isHole = false;
  /** How often the client spoke after the server had, or first. */
  roundTrips = 0;
  openCount = 0;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(serverUrl: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(serverUrl);
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('a listening server has no port');
    const url = new URL(serverUrl);
    url.hostname = '127.0.0.1';
    url.port = String(address.port);
    const proxy = new TcpProxy(server, url.href);
    server.on('connection', (client) => proxy.#join(client, Number(port), hostname));
    return proxy;
  }

  /** Sockets of the proxy itself. */
  get socketCount(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, port: number, host: string): void {
    this.#track(client);
    this.openCount += 1;
    client.once('close', () => {
      this.openCount -= 1;
    });
    client.on('data', () => undefined);
    // A hole does not even say goodbye.
    client.on('end', () => {
      if (!this.isHole) client.destroy();
    });
    if (this.isHole) return;
    const server = connect(port, host);
    this.#track(server);
    let isClientsTurn = true;
    client.on('data', (chunk) => {
      if (isClientsTurn) this.roundTrips += 1;
      isClientsTurn = false;
      if (!this.isHole) server.write(chunk);
    });
    server.on('data', (chunk) => {
      isClientsTurn = true;
      if (!this.isHole) client.write(chunk);
    });
    client.once('close', () => server.destroy());
    server.once('close', () => {
      if (!this.isHole) client.destroy();
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
