import { afterEach, describe, expect, it } from 'vitest';
import { emptyMysqlDatabase, emptyPostgresDatabase, emptySqliteDatabase, type EmptyDatabase } from './cli/empty-database.js';
import { wb } from './cli/wb-command.js';
import { describeServer } from './servers/describe-server.js';

function tests(open: () => Promise<EmptyDatabase>): void {
  let database: EmptyDatabase;
  afterEach(() => database.drop());

  it("what it prints, run by the database's own shell, is the migration", async () => {
    database = await open();
    const status = (): ReturnType<typeof wb> => wb(['status', 'g', '--json', '--store', database.url]);
    expect(status().stderr).toMatch(/run `wb migrate` first/);
    const printed = wb(['migrate', '--print', '--store', database.url]);
    expect([printed.status, printed.stderr]).toEqual([0, '']);
    // It has only printed.
    expect(status().status).toBe(125);
    await database.runScript(printed.stdout);
    expect(status()).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(status().stdout)).toMatchObject([{ groupId: 'g', leader: null, term: 0 }]);
    const again = wb(['migrate', '--print', '--store', database.url]);
    expect([again.status, again.stdout]).toEqual([0, '']);
    expect(again.stderr).toMatch(/^wb: up to date: /);
  });

  it('prints only what is still to be done, and takes nothing for done that is not', async () => {
    database = await open();
    const printed = (): string => wb(['migrate', '--print', '--store', database.url, '--namespace', 'app_']).stdout;
    const all = printed();
    const cut = all.indexOf('create table', all.indexOf("'0001-sessions-and-leases'"));
    await database.runScript(all.slice(0, cut) + (/^commit;$/m.test(all) ? 'commit;' : ''));
    const rest = printed();
    expect(rest).not.toContain('0001-sessions-and-leases');
    expect(rest).toContain("'0002-terms'");
    await database.runScript(rest);
    expect(printed()).toBe('');
    expect(wb(['history', 'g', '--json', '--store', database.url, '--namespace', 'app_']).stdout).toBe('[]\n');
  });
}

describe('sqlite: wb migrate --print', () => {
  tests(emptySqliteDatabase);
});
describeServer('postgres', 'wb migrate --print', ({ url }) => {
  tests(() => emptyPostgresDatabase(url));
});
for (const flavor of ['mysql', 'mariadb'] as const) {
  describeServer(flavor, 'wb migrate --print', ({ url }) => {
    tests(() => emptyMysqlDatabase(url));
  });
}
