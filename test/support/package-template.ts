/** Packages serverless.yml like `npm run package`, with stub bundles, no account and an empty environment. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

export interface Resource {
  Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: the properties have a different shape for each kind of AWS resource.
  Properties: any;
}

export interface Packaged {
  resources: Record<string, Resource>;
  outputs: Record<string, unknown>;
  ofType(type: string): Resource[];
  /** Paths inside each function's zip. */
  zips: Record<string, string[]>;
  /** Every file of the package, with the files inside its zips. */
  files: Map<string, string>;
}

interface PackageOptions {
  cliArguments?: string[];
  /** More variables of the shell that packages. */
  environment?: Record<string, string>;
  /** true: the real bundles, built in the same shell. Default: stubs. */
  built?: boolean;
}

export const projectFolder = fileURLToPath(new URL('../../', import.meta.url));

export function packageTemplate(functionNames: string[], options: PackageOptions = {}): Packaged {
  const { cliArguments = [], environment = {}, built = false } = options;
  const folder = mkdtempSync(join(tmpdir(), 'package-'));
  const env = { PATH: dirname(process.execPath), HOME: '/nonexistent', ...environment };
  try {
    copyFileSync(join(projectFolder, 'serverless.yml'), join(folder, 'serverless.yml'));
    for (const name of ['node_modules', 'build']) symlinkSync(join(projectFolder, name), join(folder, name));
    const dist = join(folder, 'dist');
    if (built) execFileSync(process.execPath, ['build.mjs', dist], { cwd: projectFolder, env, stdio: 'pipe' });
    else writeStubs(dist, functionNames);
    const cli = join(projectFolder, 'node_modules/serverless/bin/serverless.js');
    execFileSync(process.execPath, [cli, 'package', '--stage', 'prod', '--package', 'out', ...cliArguments], {
      cwd: folder,
      env,
      stdio: 'pipe',
    });
    return readPackage(join(folder, 'out'), functionNames);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeStubs(dist: string, functionNames: string[]): void {
  mkdirSync(dist);
  for (const name of functionNames) {
    writeFileSync(join(dist, `${name}.mjs`), 'export const handler = async () => undefined;\n');
    writeFileSync(join(dist, `${name}.mjs.map`), '{}\n');
  }
}

function readPackage(folder: string, functionNames: string[]): Packaged {
  const files = new Map<string, string>();
  const zips: Record<string, string[]> = {};
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.zip')) files.set(name, readFileSync(join(folder, name), 'utf8'));
    else {
      const zipped = filesInZip(join(folder, name));
      zips[name.slice(0, -4)] = [...zipped.keys()];
      for (const [path, text] of zipped) files.set(`${name}/${path}`, text);
    }
  }
  const template = JSON.parse(files.get('cloudformation-template-update-stack.json') ?? '') as {
    Resources: Record<string, Resource>;
    Outputs: Record<string, unknown>;
  };
  return {
    resources: template.Resources,
    outputs: template.Outputs,
    ofType: (type) => Object.values(template.Resources).filter((resource) => resource.Type === type),
    zips: Object.fromEntries(functionNames.map((name) => [name, zips[name] ?? []])),
    files,
  };
}

/** Reads the central directory, whose entries each begin with the same four bytes. */
function filesInZip(file: string): Map<string, string> {
  const bytes = readFileSync(file);
  const files = new Map<string, string>();
  for (let at = bytes.indexOf('PK\x01\x02'); at >= 0; at = bytes.indexOf('PK\x01\x02', at + 1)) {
    const name = bytes.subarray(at + 46, at + 46 + bytes.readUInt16LE(at + 28)).toString();
    const [size, local] = [bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(start, start + size);
    files.set(name, (bytes.readUInt16LE(at + 10) === 8 ? inflateRawSync(content) : content).toString());
  }
  return files;
}
