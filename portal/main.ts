import { runPortal } from './run.ts';

/** `npm run -s portal -- <noun> <verb> [options]` */
process.exitCode = await runPortal(process.argv.slice(2), {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
});
