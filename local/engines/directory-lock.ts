import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processIdentity } from './process.ts';

/**
 * Locks an engine directory for one live process. The locks of the engines are not enough: MariaDB reports one after
 * half a minute, and Redis does not check. The owner is the process that runs the engine: the engine ends with it.
 * @returns the function that releases the lock
 * @throws if another live process holds the directory
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'in-use-by');
  const mine = `${await processIdentity(process.pid)} ${randomBytes(6).toString('hex')}`;
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, mine);
  try {
    for (;;) {
      try {
        await link(draft, file);
        return once(() => rm(file, { force: true }));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = await readFile(file, 'utf8').catch(() => null);
      if (holder !== null) await removeDeadLock(directory, file, holder);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** A second release would remove the lock of the next owner. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

async function removeDeadLock(directory: string, file: string, holder: string): Promise<void> {
  const pid = Number.parseInt(holder, 10);
  const identity = Number.isSafeInteger(pid) ? await processIdentity(pid) : null;
  if (identity !== null && holder.startsWith(`${identity} `)) {
    throw new Error(`${directory} is in use by process ${pid}: stop that process, or choose another folder`);
  }
  // The rename may catch the file of a newer owner. Then the file is put back.
  const taken = `${file}.${randomBytes(6).toString('hex')}`;
  await rename(file, taken).catch(() => {});
  const content = await readFile(taken, 'utf8').catch(() => null);
  if (content !== null && content !== holder) await link(taken, file).catch(() => {});
  await rm(taken, { force: true });
}
