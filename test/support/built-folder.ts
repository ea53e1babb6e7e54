import { copyFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bundleFolder } from './bundles.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A checkout after `npm run build`, for programs that look for serverless.yml and dist/ where they are started. */
export async function builtFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await temporaryFolder('built-checkout');
  await copyFile('serverless.yml', join(folder.path, 'serverless.yml'));
  await symlink(bundleFolder(), join(folder.path, 'dist'));
  await symlink(resolve('node_modules'), join(folder.path, 'node_modules'));
  return folder;
}
