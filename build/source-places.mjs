/**
 * Reads log lines from stdin and writes them with the places of the source files in place of those of the bundles:
 * `/var/task/dist/login.mjs:3:4711` becomes `functions/login/password.ts:31:18`. The maps are those that `npm run
 * build` writes into dist/, so build the commit that is deployed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const PLACE = /(?:file:\/\/)?[^\s"'()]*?([\w-]+)\.mjs:(\d+):(\d+)/g;

if (process.argv.length > 2) {
  console.log(`Writes log lines with the places of the source files.

  npm run -s build            at the commit that is deployed
  npm run -s places < LOG     LOG: lines of CloudWatch or of \`npm run serve\``);
  process.exit(process.argv[2] === '--help' ? 0 : 2);
}
const folder = join(project, 'dist');
if (!existsSync(folder)) {
  console.error('There are no maps: run `npm run build` at the commit that is deployed.');
  process.exit(1);
}

/** @type {Map<string, SourceMap | undefined>} */
const maps = new Map();
/** @param {string} name */
function mapOf(name) {
  if (!maps.has(name)) {
    const file = join(folder, `${name}.mjs.map`);
    maps.set(name, existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : undefined);
  }
  return maps.get(name);
}

/** @type {(place: string, name: string, line: string, column: string) => string} */
function sourcePlace(place, name, line, column) {
  const entry = mapOf(name)?.findEntry(Number(line) - 1, Number(column) - 1);
  if (!entry || !('originalSource' in entry) || !entry.originalSource) return place;
  const file = entry.originalSource.replace(/^.*?(?=(?:functions|shared|node_modules)\/)/, '');
  return `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

for await (const line of createInterface({ input: process.stdin })) console.log(line.replace(PLACE, sourcePlace));
