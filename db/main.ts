import { runDatabaseCommand } from './command.ts';
import { systemTerminal } from './second-look.ts';

/** `npm run -s db -- <command> [options]` */
process.exitCode = await runDatabaseCommand(process.argv.slice(2), systemTerminal());
