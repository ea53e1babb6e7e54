import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The objects of the simulated store: in memory, or in a folder that `npm run dev` keeps. */
export interface StoredObject {
  body: Buffer;
  contentType: string;
  /** Other headers of the answer. */
  more: Record<string, string>;
}

export interface Objects {
  get(key: string): StoredObject | undefined;
  set(key: string, object: StoredObject): void;
  delete(key: string): void;
}

export const memoryObjects = (): Map<string, StoredObject> => new Map<string, StoredObject>();

/** Two files for each object: its bytes, and its headers with its key. */
export function folderObjects(folder: string): Objects {
  mkdirSync(folder, { recursive: true });
  const fileOf = (key: string) => join(folder, createHash('sha256').update(key).digest('hex'));
  return {
    get(key) {
      const file = fileOf(key);
      if (!existsSync(`${file}.json`)) return undefined;
      const { contentType, more } = JSON.parse(readFileSync(`${file}.json`, 'utf8')) as StoredObject;
      return { body: readFileSync(file), contentType, more };
    },
    set(key, { body, ...headers }) {
      writeFileSync(fileOf(key), body);
      writeFileSync(`${fileOf(key)}.json`, JSON.stringify({ key, ...headers }));
    },
    delete(key) {
      rmSync(`${fileOf(key)}.json`, { force: true });
      rmSync(fileOf(key), { force: true });
    },
  };
}
