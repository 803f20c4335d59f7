import { describe, expect, it } from 'vitest';
import { parseConfig } from './config-file.js';

const SEED = `taskId = "add-unique-task"
groupId = "task-group-01"
heartbeatFrequency = 1
livenessCheckInterval = 6

[databaseConfig]
user = "root"
password = "password"
database = "database"
port = 5432
`;
const parse = (text: string, env = {}): ReturnType<typeof parseConfig> => parseConfig(text, 'Config.toml', env);

describe('the configuration file', () => {
  it("takes the original's file unchanged", () => {
    const { coordinator, groupId, target } = parse(SEED);
    expect(coordinator).toMatchObject({ memberId: 'add-unique-task', ttlMs: 6_000, heartbeatMs: 1_000 });
    expect(groupId).toBe('task-group-01');
    expect(target).toEqual({
      adapter: 'postgres',
      fields: { host: 'localhost', port: 5432, user: 'root', password: 'password', database: 'database' },
    });
  });

  it('takes the type of the database, and the secrets of the environment before its own', () => {
    const { target } = parse(SEED.replace('port = 5432', 'dbType = "MariaDB"'), { WB_DATABASE_PASSWORD: 'other', WB_DATABASE_USER: 'me' });
    expect(target).toEqual({ adapter: 'mysql', fields: { host: 'localhost', user: 'me', password: 'other', database: 'database' } });
  });

  it.each([
    ['an unknown key', SEED.replace('groupId', 'groupID'), 'Config.toml:2:1: unknown key "groupID"'],
    ['an unknown key of the database', SEED.replace('user =', '  usr ='), 'Config.toml:7:3: unknown key "usr" in [databaseConfig]'],
    ['a wrong type', SEED.replace('5432', '"5432"'), 'Config.toml:10:1: `port` must be a number, and is a string'],
    ['a wrong port', SEED.replace('5432', '70000'), 'Config.toml:10:1: `port` (70000) must be a whole number from 1 to 65535'],
    ['a wrong duration', SEED.replace('Frequency = 1', 'Frequency = 0'), 'Config.toml:3:1: `heartbeatFrequency` (0)'],
    ['durations that do not fit', SEED.replace('Frequency = 1', 'Frequency = 3'), 'Config.toml:3:1: `heartbeatFrequency` (3 s) must be'],
    ['a type that is not known', `${SEED}type = "oracle"`, 'Config.toml:11:1: `type` ("oracle") is no database that is known'],
    ['a type that every object has', `${SEED}dbType = "constructor"`, 'Config.toml:11:1: `dbType` ("constructor") is no database'],
    [
      'two types',
      `${SEED}type = "mysql"\ndbType = "PostgreSQL"`,
      'Config.toml:12:1: `dbType` ("PostgreSQL") and `type` ("mysql") are two databases',
    ],
    [
      'a wrong type in an inline table',
      `taskId = "a"\ngroupId = "g"\ndatabaseConfig = { user = "u", port = "1" }`,
      'Config.toml:3:32: `port` must be a number, and is a string',
    ],
    [
      'a duration that only follows from it',
      SEED.replace('Interval = 6', 'Interval = 0.006').replace('Frequency = 1', 'Frequency = 0.001'),
      'Config.toml:4:1: `ttlMs` (6)',
    ],
    ['a missing key', SEED.replace('taskId = "add-unique-task"', ''), 'Config.toml: `taskId` is missing'],
    ['no TOML', SEED.replace('= 6', '= = 6'), 'Config.toml:4:25: not TOML'],
  ])('refuses %s with its line and column', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('shows no secret when the file is not TOML', () => {
    expect(() => parse(SEED.replace('"password"', '"hunter2'))).toThrow(/^((?!hunter2).)*$/s);
  });
});
