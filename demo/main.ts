import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDataFolder } from '../local/data-folder.ts';
import { UsageError } from '../local/dev-options.ts';
import { apiLocks } from './api-locks.ts';
import { newCaller } from './caller.ts';
import { channelLogin } from './channels.ts';
import { identities } from './identities.ts';
import { lists } from './lists.ts';
import { openMeter } from './meter.ts';
import { ownRecords } from './own-records.ts';
import { pluginTokens } from './plugins.ts';
import { newPortal } from './portal.ts';
import { publicApps } from './public-apps.ts';
import { cachedReads } from './reads.ts';
import { recharges } from './recharges.ts';
import type { Scene } from './scene.ts';
import { signedCalls } from './signed-calls.ts';
import { openStage, type Stage } from './stage.ts';
import { newStory, type StepResult } from './story.ts';
import { newTape } from './tape.ts';
import { usersAndSessions } from './users.ts';

const HELP = `npm run demo -- [options]   shows every requirement on a real server, step by step

  --url URL    the server; its engines are those of the running "npm run dev", or of the environment
  --data DIR   the data folder of that "npm run dev" (default .data/dev)
  --only A,F   only the rows of these letters
  --json       only one JSON line: rows, steps and failures
  --help

It uses the running "npm run dev". If none runs, it starts a server in a temporary folder. Each step shows its rows,
requests and answers, the time, and how many requests Redis and MySQL got. The demo makes its own apps and accounts, and
can run any number of times. It removes the operator's locks on resource "service" and on logins. The rows G need the simulated WeChat. The exit code is 0 if
every step gave the expected result.`;

/** The rows that the demo can show on one machine. Replicas, sentinels and the web page are not among them. */
const ROWS =
  'A1 A2 A3 A4 A5 A6 A7 A9 A10 A11 B1 B2 B3 B4 C1 C2 C3 C4 C5 C6 C7 D1 D2 D3 D4 D5 D6 E1 E2 E3 E4 E5 F1 F2 F3 F4 F5 F6 F7 G1 G2'.split(
    ' ',
  );

const CHAPTERS: [title: string, play: (scene: Scene) => Promise<void>][] = [
  ['A. Who calls: apps, keys, signatures', signedCalls],
  ['A. Packages that everybody can read: public apps', publicApps],
  ['A. Fast reads, also under attack', cachedReads],
  ['B. Users and their sessions', usersAndSessions],
  ['C. Channel login and recharge', async (scene) => recharges(scene, await channelLogin(scene))],
  ['D. Plugins and their servers', pluginTokens],
  ['E. Locks on an interface', apiLocks],
  ['F. Lists', lists],
  ['F. Records of users', ownRecords],
  ['G. One user, several ways to log in', identities],
];

async function play(
  stage: Stage,
  letters: readonly string[],
  print: (line: string) => void,
  colour: boolean,
): Promise<StepResult[]> {
  const tape = newTape();
  const meter = await openMeter(stage.env);
  const story = newStory({ tape, meter, print, colour });
  const portal = newPortal(tape);
  print(`This demo uses ${stage.about}.`);
  if (!meter) print('Its engines are not behind the gateways of this project, so requests are not counted.');

  const run = randomBytes(5).toString('hex');
  const app = await portal('app', 'create', '--name', `demo-${run}`);
  const { url, env } = stage;
  const scene: Scene = { story, tape, portal, url, env, run, app, caller: newCaller(url, tape) };
  try {
    for (const [title, chapter] of CHAPTERS.filter(([title]) => letters.includes(title.charAt(0)))) {
      story.chapter(title);
      // A failed step has reported the failure. The other chapters do not depend on it.
      await chapter(scene).catch((error: unknown) => failedOutside(story.results, title, error, print));
    }
  } finally {
    await portal('app', 'disable', '--app', app.appId);
  }
  return story.results;
}

/** Reports a failure that is not in a step, such as in the preparation of a chapter. */
function failedOutside(results: StepResult[], title: string, error: unknown, print: (line: string) => void): void {
  const failure = error instanceof Error ? error.message : String(error);
  if (results.some((step) => step.failure === failure)) return;
  print(`\n✗ ${title}: ${failure}`);
  results.push({ rows: [], title, passed: false, milliseconds: 0, failure });
}

async function main(): Promise<number> {
  const { values } = readOptions();
  if (values.help) return say(HELP);
  const letters = lettersOf(values.only);
  const wanted = ROWS.filter((row) => letters.includes(row.charAt(0)));
  let quiet = values.json;
  const print = (line: string) => void (quiet || console.log(line));
  const startedAt = performance.now();
  let open: Stage | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // On a signal, a server that the demo started must be stopped, and its folder deleted.
    process.once(signal, () => {
      quiet = true;
      void Promise.resolve(open?.stop()).finally(() => process.exit(130));
    });
  }
  const stage = await openStage({ dataDirectory: resolve(values.data), ...(values.url && { url: values.url }) });
  open = stage;
  let results: StepResult[];
  try {
    results = await play(stage, letters, print, process.stdout.isTTY === true && !process.env.NO_COLOR);
  } finally {
    await stage.stop();
  }
  const shown = wanted.filter((row) => results.some(({ rows, passed }) => passed && rows.includes(row)));
  const failed = results.filter(({ passed }) => !passed);
  const missing = wanted.filter((row) => !shown.includes(row) || failed.some(({ rows }) => rows.includes(row)));
  const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
  if (values.json) {
    console.log(
      JSON.stringify({
        rows: shown,
        missing,
        steps: results.length,
        passed: results.length - failed.length,
        failed,
        seconds,
      }),
    );
  }
  print(
    `\n${shown.length} of ${wanted.length} rows shown, ${results.length - failed.length} of ${results.length} steps passed, ${seconds} s` +
      (missing.length > 0 ? `; failed or missing: ${missing.join(', ')}` : ''),
  );
  return failed.length > 0 || missing.length > 0 ? 1 : 0;
}

/** Throws UsageError. */
function lettersOf(only: string | undefined): string[] {
  const known = [...new Set(CHAPTERS.map(([title]) => title.charAt(0)))];
  const letters = only === undefined ? known : only.toUpperCase().split(',');
  const unknown = letters.filter((letter) => !known.includes(letter));
  if (unknown.length > 0)
    throw new UsageError(`--only takes letters of ${known.join(', ')}, not "${unknown.join(', ')}"`);
  return letters;
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string' },
        data: { type: 'string', default: defaultDataFolder },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}. See --help.`);
  }
}

function say(text: string): number {
  console.log(text);
  return 0;
}

main().then(
  // Exit at once: engines and keep-alive connections would keep the process running.
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
