import { suite as auth } from './auth.ts';
import { suite as cache } from './cache.ts';
import { suite as client } from './client.ts';
import { suite as cost } from './cost.ts';
import { suite as edge } from './edge/edge.ts';
import { suite as growth } from './growth.ts';
import { suite as listInterleavings } from './list-interleavings.ts';
import { suite as lists } from './lists.ts';
import { suite as load } from './load.ts';
import { suite as lock } from './lock.ts';
import { suite as recharge } from './recharge.ts';
import { suite as signedReads } from './signed-reads.ts';
import { suite as transport } from './transport.ts';

/** `npm run bench -- <suite> [--json]` */
interface Suite {
  name: string;
  about: string;
  /** Its own options. */
  help?: string;
  run(): Promise<object>;
}

const suites: Suite[] = [
  auth,
  cache,
  client,
  cost,
  edge,
  growth,
  listInterleavings,
  lists,
  load,
  lock,
  recharge,
  signedReads,
  transport,
];

function print(result: object): void {
  for (const [name, value] of Object.entries(result)) {
    if (Array.isArray(value)) {
      console.log(`\n${name}`);
      console.table(value);
    } else console.log(`${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  }
}

const wanted = process.argv[2];
const suite = suites.find(({ name }) => name === wanted);
if (!suite || wanted === '--help') {
  console.log('npm run bench -- <suite> [--json]\n');
  for (const { name, about } of suites) console.log(`  ${name.padEnd(18)} ${about}`);
  process.exit(wanted === '--help' || wanted === undefined ? 0 : 2);
}
if (process.argv.includes('--help')) {
  console.log(suite.help ?? suite.about);
  process.exit(0);
}
const result = await suite.run();
if (process.argv.includes('--json')) console.log(JSON.stringify({ suite: suite.name, ...result }));
else print(result);
process.exit(0);
