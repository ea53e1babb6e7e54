import { readdirSync } from 'node:fs';

/** `npm run bench -- <suite> [--json]`: a suite is a file here that exports one. */
interface Suite {
  name: string;
  about: string;
  run(): Promise<object>;
}

async function suites(): Promise<Suite[]> {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
  const found: Suite[] = [];
  // Only files of suites are imported: a process of a suite would begin its work.
  for (const file of files.filter((name) => !/(process|engines|anchors)\.ts$/.test(name))) {
    const { suite } = (await import(`./${file}`)) as { suite?: Suite };
    if (suite) found.push(suite);
  }
  return found;
}

function print(result: object): void {
  for (const [name, value] of Object.entries(result)) {
    if (Array.isArray(value)) {
      console.log(`\n${name}`);
      console.table(value);
    } else console.log(`${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  }
}

const wanted = process.argv[2];
const all = await suites();
const suite = all.find(({ name }) => name === wanted);
if (!suite || wanted === '--help') {
  console.log('npm run bench -- <suite> [--json]\n');
  for (const { name, about } of all) console.log(`  ${name.padEnd(10)} ${about}`);
  process.exit(wanted === '--help' || wanted === undefined ? 0 : 2);
}
const result = await suite.run();
if (process.argv.includes('--json')) console.log(JSON.stringify({ suite: suite.name, ...result }));
else print(result);
process.exit(0);
