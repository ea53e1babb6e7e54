import { runDatabaseCommand } from './command.ts';

/** `npm run -s db -- <command> [options]` */
process.exitCode = await runDatabaseCommand(process.argv.slice(2), {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
});
