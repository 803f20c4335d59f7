/** `node dist/payments/service-main.js FILE PORT`: the service, with its ledger in a file. */
import { once } from 'node:events';
import { Ledger } from './ledger.js';
import { createPaymentService } from './service.js';

const [file = 'payments.db', port = '8080'] = process.argv.slice(2);
const ledger = new Ledger(file);
const service = createPaymentService(ledger).listen(Number(port), '127.0.0.1');
await once(service, 'listening');
console.log(`payments at http://127.0.0.1:${port}, ledger in ${file}`);
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    service.close(() => ledger.close());
    service.closeAllConnections();
  });
}
