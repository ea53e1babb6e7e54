import { copyFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleFolder } from './bundles.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Like a checkout after `npm run build`, for programs that read serverless.yml and dist/ in their working folder. */
export async function builtFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await temporaryFolder('built-checkout');
  await copyFile('serverless.yml', join(folder.path, 'serverless.yml'));
  await symlink(bundleFolder(), join(folder.path, 'dist'));
  for (const name of ['node_modules', 'build']) await symlink(resolve(name), join(folder.path, name));
  return folder;
}
