import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Link } from '../src/link.js';

/** Resolves when it is closed, by a reset or not. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

describe('a link', () => {
  let server: Server;
  let link: Link;
  const atServer: Socket[] = [];
  const clients: Socket[] = [];

  beforeEach(async () => {
    // It answers each chunk with the same bytes in upper case.
    server = createServer((socket) => {
      atServer.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    link = await Link.open({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  });

  afterEach(async () => {
    for (const socket of clients.splice(0)) socket.destroy();
    await link.close();
    for (const socket of atServer.splice(0)) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  async function client(): Promise<Socket> {
    const socket = connect(link.port, link.host);
    clients.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  async function answer(socket: Socket, question: string): Promise<string> {
    socket.write(question);
    return await textOf(socket, question.length);
  }

  async function textOf(socket: Socket, length: number): Promise<string> {
    let text = '';
    while (text.length < length) text += String((await once(socket, 'data'))[0]);
    return text;
  }

  async function took(what: () => Promise<unknown>): Promise<number> {
    const sinceMs = performance.now();
    await what();
    return performance.now() - sinceMs;
  }

  it('lets everything through when it is good', async () => {
    const socket = await client();
    expect(await answer(socket, 'hello')).toBe('HELLO');
  });

  it('slow: each packet is late by as much as was said, both ways or one, and none waits for another', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'delay', toServerMs: 60, toMemberMs: 60 });
    const bothMs = await took(async () => expect(await answer(socket, 'hello')).toBe('HELLO'));
    expect(bothMs).toBeGreaterThanOrEqual(119);
    link.become({ kind: 'delay', toServerMs: 0, toMemberMs: 60 });
    const oneWayMs = await took(() => answer(socket, 'hello'));
    expect(oneWayMs).toBeGreaterThanOrEqual(59);
    // One after the other they would take as long as all of them together.
    const manyMs = await took(async () => {
      for (let count = 0; count < 20; count += 1) {
        socket.write('a');
        await new Promise((resolve) => setImmediate(resolve));
      }
      await textOf(socket, 20);
    });
    expect(manyMs).toBeLessThan(20 * 60);
  });

  it('dripping: a few bytes at a time', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'drip', bytes: 2, everyMs: 10 });
    const pieces: string[] = [];
    atServer[0]!.on('data', (bytes) => pieces.push(String(bytes)));
    const dripMs = await took(async () => expect(await answer(socket, 'hello, again')).toBe('HELLO, AGAIN'));
    expect(pieces[0]).toBe('he');
    // Five pauses before the last piece.
    expect(dripMs).toBeGreaterThanOrEqual(49);
  });

  it('cut: resets what is open and lets nobody in, until it heals', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    const isClosed = closed(socket);
    link.become({ kind: 'cut' });
    await isClosed;
    await closed(connect(link.port, link.host).on('error', () => undefined));
    link.heal();
    expect(await answer(await client(), 'hello')).toBe('HELLO');
  });

  it('a hole that keeps: what was sent arrives when it closes, in order', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'hole', toServer: true, toMember: true, isKept: true });
    socket.write('one');
    socket.write('two');
    const others = await client();
    others.write('three');
    expect(atServer.map((each) => each.bytesRead)).not.toContain(11);
    link.heal();
    let text = '';
    while (text.length < 6) text += String((await once(socket, 'data'))[0]);
    expect(text).toBe('ONETWO');
  });

  it('a hole that swallows: what was sent is lost for good, and an end in it is heard when it closes', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'hole', toServer: true, toMember: false, isKept: false });
    socket.write('lost');
    const ended = closed(socket);
    socket.destroy();
    await ended;
    // The end is on its way to the proxy, whose answer to another connection comes after it.
    await client();
    const atServerClosed = closed(atServer[0]!);
    link.heal();
    await atServerClosed;
    expect(atServer[0]!.bytesRead).toBe(5);
  });

  it('a hole that swallows: no connection goes on with a gap in it, until one end gives up', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'hole', toServer: true, toMember: false, isKept: false });
    socket.write('lost');
    const other = await client();
    other.write('lost');
    // What the first one sent is at the proxy by the time that the second is connected.
    link.heal();
    socket.write('later');
    expect(await answer(await client(), 'hello')).toBe('HELLO');
    expect(atServer[0]!.bytesRead).toBe(5);
    const gone = closed(atServer[0]!);
    socket.destroy();
    await gone;
    expect(atServer[0]!.bytesRead).toBe(5);
  });

  it('a hole for replies: the request arrives, and its answer is lost for good', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'hole', toServer: false, toMember: true, isKept: false });
    const arrived = once(atServer[0]!, 'data');
    socket.write('again');
    expect(String((await arrived)[0])).toBe('again');
    // Its answer is at the proxy by the time that another request has come this way.
    const other = await client();
    other.write('hello');
    while (atServer.length < 2 || atServer[1]!.bytesRead < 5) await new Promise((resolve) => setImmediate(resolve));
    link.heal();
    expect(await answer(await client(), 'hello')).toBe('HELLO');
    expect(socket.bytesRead).toBe(5);
  });

  it('lost replies: the request arrives, and the connection is reset instead of the reply', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    link.become({ kind: 'lost replies' });
    const arrived = once(atServer[0]!, 'data');
    const isClosed = closed(socket);
    socket.write('again');
    expect(String((await arrived)[0])).toBe('again');
    await isClosed;
  });

  it('half open, the server is gone: the client is told nothing, new connections are good', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    const gone = closed(atServer[0]!);
    link.loseServerEnds();
    await gone;
    socket.write('anyone?');
    expect(await answer(await client(), 'hello')).toBe('HELLO');
    expect(socket.destroyed).toBe(false);
  });

  it('half open, the member is gone: the server is told nothing, until it is told', async () => {
    const socket = await client();
    await answer(socket, 'hello');
    const isClosed = closed(socket);
    const end = link.loseMemberEnds();
    await isClosed;
    expect(atServer[0]!.destroyed).toBe(false);
    expect(await answer(await client(), 'hello')).toBe('HELLO');
    const gone = closed(atServer[0]!);
    end();
    await gone;
  });
});
