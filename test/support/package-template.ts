/** Packages serverless.yml like `npm run package`, with stub bundles, no account and an empty environment. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Resource {
  Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: the properties have a different shape for each kind of AWS resource.
  Properties: any;
}

export interface Packaged {
  resources: Record<string, Resource>;
  ofType(type: string): Resource[];
  /** Paths inside each function's zip. */
  zips: Record<string, string[]>;
}

export const projectFolder = fileURLToPath(new URL('../../', import.meta.url));

export function packageTemplate(functionNames: string[], cliArguments: string[] = []): Packaged {
  const folder = mkdtempSync(join(tmpdir(), 'package-'));
  try {
    copyFileSync(join(projectFolder, 'serverless.yml'), join(folder, 'serverless.yml'));
    for (const name of ['node_modules', 'build']) symlinkSync(join(projectFolder, name), join(folder, name));
    mkdirSync(join(folder, 'dist'));
    for (const name of functionNames) {
      writeFileSync(join(folder, 'dist', `${name}.mjs`), 'export const handler = async () => undefined;\n');
      writeFileSync(join(folder, 'dist', `${name}.mjs.map`), '{}\n');
    }
    const cli = join(projectFolder, 'node_modules/serverless/bin/serverless.js');
    execFileSync(process.execPath, [cli, 'package', '--stage', 'prod', '--package', 'out', ...cliArguments], {
      cwd: folder,
      env: { PATH: dirname(process.execPath), HOME: '/nonexistent' },
      stdio: 'pipe',
    });
    const template = JSON.parse(
      readFileSync(join(folder, 'out/cloudformation-template-update-stack.json'), 'utf8'),
    ) as {
      Resources: Record<string, Resource>;
    };
    return {
      resources: template.Resources,
      ofType: (type) => Object.values(template.Resources).filter((resource) => resource.Type === type),
      zips: Object.fromEntries(functionNames.map((name) => [name, namesInZip(join(folder, 'out', `${name}.zip`))])),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Reads the central directory, whose entries each begin with the same four bytes. */
function namesInZip(file: string): string[] {
  const bytes = readFileSync(file);
  const names: string[] = [];
  for (let at = bytes.indexOf('PK\x01\x02'); at >= 0; at = bytes.indexOf('PK\x01\x02', at + 1)) {
    names.push(bytes.subarray(at + 46, at + 46 + bytes.readUInt16LE(at + 28)).toString());
  }
  return names;
}
