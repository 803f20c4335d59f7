import type { ConformanceTarget } from '@wb/conformance';
import { mysqlLeaseStore } from '@wb/mysql';
import { mysqlTarget } from './mysql-target.js';

/** The URLs of all nodes are in this variable, with blanks in between; `WB_TEST_GALERA_URL` names one of them. */
const URLS = 'WB_TEST_GALERA_URLS';

const one = mysqlTarget('galera', 'WB_TEST_GALERA_URL');
let count = process.pid;

/** A Galera cluster: each store of a process is on another node, and so are the processes. */
const target: ConformanceTarget = {
  ...one,
  open: (namespace) => {
    const urls = process.env[URLS]!.split(' ');
    count += 1;
    const { sessionRetentionMs } = one;
    return mysqlLeaseStore({
      connectionString: urls[count % urls.length]!,
      namespace,
      ...(sessionRetentionMs !== undefined && { sessionRetentionMs }),
    });
  },
};

export default target;
