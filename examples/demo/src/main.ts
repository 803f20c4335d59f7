/**
 * The demo's driver: makes the orders, starts three members, strikes their leaders, and asks the ledger in the end. Exit code 0 if all of it went as promised.
 * `--without-fence` leaves the fence out, to see the proof fail. `WB_TARGET` names the database: sqlite (the default), postgres, mysql or mariadb. Exit code 2: that is not there.
 */
import type { Check } from './check.js';
import { Fleet } from './fleet.js';
import { nowMs } from './machine-time.js';
import { Narrator } from './narrator.js';
import { createOrders } from './orders-database.js';
import { play } from './play.js';
import { proveLedger, shares } from './proof.js';
import { checkList, shareTable, takeoverTable } from './report.js';
import { HEARTBEAT_MS, ORDER_COUNT, TIME_LIMIT_MS, TTL_MS } from './settings.js';
import { startPlace, type StartedPlace } from './start-place.js';
import { TakeoverLog } from './takeover-log.js';
import { targetNamed, targets } from './targets/index.js';
import { Timeline } from './timeline.js';
import { judgePlay } from './verdict.js';

const isFenced = !process.argv.includes('--without-fence');

if (process.platform === 'win32') {
  console.error('This demo freezes processes with SIGSTOP, which Windows does not have.');
  process.exit(1);
}

let started: StartedPlace;
try {
  started = await startPlace(targetNamed(process.env['WB_TARGET'] ?? 'sqlite'));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
}
const { place } = started;
const target = targets[place.target];

const failure = new AbortController();
const fail = (reason: string): void => failure.abort(new Error(reason));
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => fail(`interrupted by ${name}`));
// Whoever read the pipe has gone.
process.stdout.on('error', () => fail('nobody reads the output'));

const timeline = new Timeline(nowMs(), console.log);
const timeLimit = setTimeout(() => fail(`not done after ${TIME_LIMIT_MS / 1_000} s`), TIME_LIMIT_MS);
const log = new TakeoverLog();
const narrator = new Narrator(timeline, log);
const fleet = new Fleet({
  place,
  isFenced,
  signal: failure.signal,
  onReport: (report) => narrator.tell(report),
  onDeath: (memberId, how) => fail(`${memberId} died: ${how}`),
});
// However this process ends: no member and no file is left behind.
process.on('exit', () => {
  fleet.kill();
  started.stopNow();
});

try {
  const checks = await run();
  const failedCount = checks.filter(({ isTrue }) => !isTrue).length;
  console.log(`\n${checkList(checks, timeline)}\n`);
  console.log(
    failedCount === 0 ? timeline.colours.green('PROVEN') : timeline.colours.red(`NOT PROVEN: ${failedCount} of ${checks.length}`),
  );
  process.exitCode = failedCount === 0 ? 0 : 1;
} catch (thrown) {
  // What was waited for when it ended says nothing; why it ended does.
  const error: unknown = failure.signal.aborted ? failure.signal.reason : thrown;
  console.error(`\n${timeline.colours.red('FAILED')}: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  clearTimeout(timeLimit);
  fleet.kill();
  await started.stop();
}

async function run(): Promise<readonly Check[]> {
  await using connection = await target.connect(place);
  await createOrders(connection, place, ORDER_COUNT);
  await migrate();
  timeline.note(`${ORDER_COUNT.toLocaleString('en-US')} orders in ${target.title}: ${started.text}`);
  timeline.note(`TTL ${TTL_MS} ms, heartbeat ${HEARTBEAT_MS} ms${isFenced ? '' : ', WITHOUT THE FENCE'}`);

  const endProgress = narrator.tellProgress(connection, place);
  const result = await play({ fleet, place, connection, isFenced, log, timeline, signal: failure.signal }).finally(endProgress);
  const tookMs = timeline.elapsedMs;
  console.log(`\nTakeovers\n${takeoverTable(result.takeovers, timeline)}`);
  console.log(`\nOrders settled, by the ledger\n${shareTable(await shares(connection, place), timeline)}`);
  return [...(await proveLedger(connection, place, ORDER_COUNT, log.leaderships)), ...judgePlay(result, tookMs, TIME_LIMIT_MS)];
}

/** The members would do it too. Done here so that the first timings are those of members, and not of a schema. */
async function migrate(): Promise<void> {
  const { store } = target.open(place);
  await store.migrate();
  await store.close();
}
