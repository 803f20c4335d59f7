import { describe, expect, inject, it } from 'vitest';
import type { ServerName } from './given-servers.js';

/** Describes what needs a server of this run (see global-setup.ts). Where there is none it is one skipped test, with the reason. */
export function describeServer(
  name: ServerName,
  title: string,
  body: (server: { readonly url: string; readonly version: string }) => void,
): void {
  const server = inject('servers')[name];
  describe(`${name}: ${title}`, () => {
    if (server.url === null) skip(server.skipReason);
    else body(server);
  });
}

function skip(reason: string): void {
  it('needs a server', (context) => {
    context.skip(reason);
    expect.unreachable();
  });
}
