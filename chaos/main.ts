import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runScenario, type ScenarioResult, startChaosWorld } from './run.ts';
import { scenarios } from './scenarios.ts';

const help = `npm run chaos -- <scenario>|all [--seconds N] [--json]

Starts a whole deployment on this machine (Redis master, two replicas, three sentinels, MySQL primary and replica,
gateway, serve). Customers read, write, pay and spend. The fault begins after a quarter of the time and ends after half
of it. Then it checks: were reads served, do writes succeed again, do the books agree, is a value stale, is a session
lost?

  --seconds N   length of each scenario (default 40)
  --json        one JSON line last

${scenarios.map(({ name, about }) => `  ${name.padEnd(22)}${about}`).join('\n')}

Exit code: 0 if every scenario passed.`;

function print({
  scenario,
  reads,
  readShare,
  writableAfterMs,
  problems,
  seconds,
  recharges,
  writes,
}: ScenarioResult): void {
  const back =
    writableAfterMs === null
      ? 'writes never failed'
      : `writes succeeded again after ${(writableAfterMs / 1000).toFixed(1)} s`;
  console.log(
    `${problems.length === 0 ? 'passed' : 'FAILED'} ${scenario.padEnd(22)} ${(readShare * 100).toFixed(2)} % of ${reads} reads, ` +
      `${back}, ${recharges} recharges, ${writes} writes of records, ${seconds} s`,
  );
  for (const problem of problems) console.log(`         ${problem}`);
}

/** null: the options are wrong, and an error was printed. */
function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '40' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split('. ');
    console.error(`${sentence}. See --help.`);
    return null;
  }
}

async function main(): Promise<number> {
  const read = readArguments();
  if (!read) return 2;
  const { values, positionals } = read;
  const [wanted] = positionals;
  const chosen = wanted === 'all' ? scenarios : scenarios.filter(({ name }) => name === wanted);
  const seconds = Number(values.seconds);
  if (values.help || chosen.length === 0 || !(seconds >= 12 && seconds <= 3_600)) {
    console.log(help);
    return values.help ? 0 : 2;
  }
  if (!existsSync('dist/authorizer.mjs')) {
    console.error('There are no bundles in dist/: run "npm run build" first.');
    return 2;
  }
  const outcomes: ScenarioResult[] = [];
  let failed = 0;
  for (const scenario of chosen) {
    console.log(`       ${scenario.name}: ${scenario.about}`);
    const world = await startChaosWorld();
    try {
      const outcome = await runScenario(world, scenario, seconds, (line) => console.log(`       ${line}`));
      outcomes.push(outcome);
      print(outcome);
    } catch (error) {
      console.log(`FAILED ${scenario.name}: ${error instanceof Error ? error.message : String(error)}`);
      failed += 1;
    } finally {
      await world.stop();
    }
  }
  if (values.json) console.log(JSON.stringify(outcomes));
  return failed === 0 && outcomes.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

process.exit(await main());
