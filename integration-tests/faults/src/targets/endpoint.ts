import type { Endpoint } from '../target.js';

/** Where a URL with a port leads. */
export function endpointOf(url: string): Endpoint {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** The same URL, by way of another endpoint. */
export function urlAt(url: string, { host, port }: Endpoint): string {
  const moved = new URL(url);
  moved.hostname = host;
  moved.port = String(port);
  return moved.href;
}
