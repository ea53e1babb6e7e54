import { systemTerminal } from '../db/second-look.ts';
import { runPortal } from './run.ts';

/** `npm run -s portal -- <noun> <verb> [options]` */
process.exitCode = await runPortal(process.argv.slice(2), systemTerminal());
