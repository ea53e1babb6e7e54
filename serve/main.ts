import { refuseForeignDatabase } from './deployment.ts';
import { startFront } from './front.ts';
import { help } from './help.ts';
import { serveUntilSignal } from './lifecycle/until-signal.ts';
import { readServeSettings } from './settings.ts';

const log = (line: string) => console.error(line);

async function start() {
  const settings = readServeSettings(process.argv.slice(2), process.env);
  if (settings === 'help') {
    console.log(help);
    process.exit(0);
  }
  await refuseForeignDatabase(log);
  const front = await startFront(settings, log);
  console.log(`admin ${front.adminUrl}`);
  return front;
}

await serveUntilSignal(start);
