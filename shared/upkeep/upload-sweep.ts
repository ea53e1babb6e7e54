import { allResources } from '../data/resources.ts';
import { hasUploads, namingOf } from '../data/upload-columns.ts';
import { EngineError } from '../errors.ts';
import { count } from '../telemetry.ts';
import { type DueUpload, dueUploads, forget, namedKeys, postpone, retryLater } from '../uploads/due.ts';
import { ENDED, endUpload, freeUpload, type Naming } from '../uploads/lives.ts';
import { keptKey, newKey } from '../uploads/object-keys.ts';
import { objectStore, type Store } from '../uploads/settings.ts';
import { deleteObject } from '../uploads/store-requests.ts';

/**
 * Runs on a schedule and ends uploads that no record uses: it marks the row as ended, under the condition that no live
 * record names the object, and only then deletes the objects. A row that is ended can never be used again. Two sweeps at
 * the same time do no harm, and each step may be the last one of a process.
 */
interface UploadSweep {
  /** Rows that were due. */
  looked: number;
  /** Uploads whose objects were deleted. */
  ended: number;
  /** Claims of records that were never made: the uploads can be used again. */
  freed: number;
  failed: number;
}

const BATCH = 200;
/** Requests to the store at the same time. */
const AT_ONCE = 8;

/** Works until nothing is due, or until `stopAt` (Unix milliseconds). Without a store it does nothing. */
export async function sweepUploads({ stopAt }: { stopAt: number }): Promise<UploadSweep> {
  const sweep: UploadSweep = { looked: 0, ended: 0, freed: 0, failed: 0 };
  const store = objectStore();
  for (let more = store !== undefined; store && more && Date.now() < stopAt; ) {
    const due = await dueUploads(BATCH);
    sweep.looked += due.length;
    await settleAll(store, due, sweep, stopAt);
    // A store that fails is asked again by the next run.
    more = due.length === BATCH && sweep.failed === 0;
  }
  for (const [name, number] of Object.entries(sweep)) if (number > 0) count(`uploads.sweep.${name}`, number);
  return sweep;
}

async function settleAll(store: Store, due: readonly DueUpload[], sweep: UploadSweep, stopAt: number): Promise<void> {
  const uses = await usesOf(due);
  const useOf = ({ uploadId }: DueUpload): Use => uses.get(uploadId) ?? 'none';
  const unchanged = due.filter((upload) => useOf(upload) === 'in-use' && !isToBeCleared(upload));
  await postpone(unchanged.map(({ uploadId }) => uploadId));
  const others = due.filter((upload) => !unchanged.includes(upload));
  for (let at = 0; at < others.length && Date.now() < stopAt; at += AT_ONCE) {
    await Promise.all(
      others.slice(at, at + AT_ONCE).map(async (upload) => {
        try {
          await settle(store, upload, useOf(upload), sweep);
        } catch (error) {
          if (!(error instanceof EngineError)) throw error;
          sweep.failed++;
          if (error.engine === 'store') await retryLater(upload.uploadId);
        }
      }),
    );
  }
}

/**
 * `in-use`: a live record names the object. `over`: the record of the claim was made, and no longer names it.
 * `not-made`: there is no such record. `none`: nobody has claimed it, or it is ended.
 */
type Use = 'in-use' | 'over' | 'not-made' | 'none';

async function usesOf(due: readonly DueUpload[]): Promise<Map<string, Use>> {
  const uses = new Map<string, Use>();
  const claimed = due.filter(({ usedBy }) => usedBy !== null && usedBy !== ENDED);
  for (const name of new Set(claimed.map(resourceOf))) {
    const uploads = claimed.filter((upload) => resourceOf(upload) === name);
    const naming = namings.get(name);
    const found = naming && (await namedKeys(naming, uploads.map(keptKey), uploads.map(recordIdOf)));
    // Another version of this service may know the resource: its uploads are left alone.
    if (!found) count('uploads.unknown-resource', uploads.length);
    for (const upload of uploads) {
      const inUse = !found || found.live.has(keptKey(upload));
      uses.set(upload.uploadId, inUse ? 'in-use' : found.records.has(recordIdOf(upload)) ? 'over' : 'not-made');
    }
  }
  return uses;
}

const namings = new Map<string, Naming>(
  allResources()
    .filter(hasUploads)
    .map((resource) => [resource.name, namingOf(resource)]),
);
const resourceOf = ({ usedBy }: DueUpload): string => usedBy?.split(':')[0] ?? '';
const recordIdOf = ({ usedBy }: DueUpload): string => usedBy?.split(':')[1] ?? '0';
/** The copy is in use, and nobody can write the original any more. */
const isToBeCleared = (upload: DueUpload): boolean =>
  !upload.cleared && upload.addressEnded && namings.has(resourceOf(upload));

async function settle(store: Store, upload: DueUpload, use: Use, sweep: UploadSweep): Promise<void> {
  const { uploadId, usedBy, addressEnded, past } = upload;
  if (use === 'in-use') {
    await deleteObject(store, newKey(upload));
    return postpone([uploadId], { cleared: true });
  }
  if (usedBy !== ENDED) {
    const naming = namings.get(resourceOf(upload));
    if (naming && use === 'not-made' && !past && (await freeUpload(uploadId, usedBy ?? '', naming, true))) {
      sweep.freed++;
      return;
    }
    // Claimed, or named by a record, since it was read.
    if (!(await endUpload(uploadId, usedBy, naming))) return;
  }
  await deleteObject(store, newKey(upload));
  await deleteObject(store, keptKey(upload));
  await forget(uploadId, addressEnded);
  sweep.ended++;
}
