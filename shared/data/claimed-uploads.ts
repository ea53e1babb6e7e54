import type { SqlValue, Transaction } from '../db.ts';
import { EngineError, invalidInput } from '../errors.ts';
import { count } from '../telemetry.ts';
import { type Claim, type Claimant, claimStands, claimUpload } from '../uploads/claim.ts';
import { freeUpload, lockKept, lookAgain } from '../uploads/lives.ts';
import type { Members, Resource } from './resource.ts';
import { hasUploads, namingOf, recordName, uploadColumns } from './upload-columns.ts';

/** What the writes of records do about their uploads. Resources without uploads pass through without a request. */
interface ClaimedMembers {
  /** With the keys of kept objects in place of the ids of uploads. */
  members: Members;
  /** Conditions for the statement that writes the record. */
  conditions: Array<[condition: string, values: SqlValue[]]>;
  /** The record was refused: what this call has claimed can be used again. */
  release(): Promise<void>;
}

/** What is not done here upload-sweep does later. */
function leaveToSweep(error: unknown): void {
  if (!(error instanceof EngineError)) throw error;
  count('uploads.left-to-sweep');
}

const unusable = (member: string) => invalidInput({ path: member, message: 'expected the id of an upload' });

/** Throws INVALID_INPUT, the same for each reason why an upload cannot be used; EngineError. */
export async function claimMembers(resource: Resource, claimant: Claimant, given: Members): Promise<ClaimedMembers> {
  const wanted = uploadColumns(resource).filter(({ member }) => typeof given[member] === 'string');
  const claims: Claim[] = [];
  const free = (uploadId: string) => freeUpload(uploadId, claimant.record, namingOf(resource)).catch(leaveToSweep);
  const release = async (): Promise<void> => {
    for (const { uploadId, isNew } of claims) if (isNew) await free(uploadId);
  };
  const members: Record<string, string | number | null> = { ...given };
  for (const { member } of wanted) {
    const claim = await claimUpload(String(given[member]), claimant);
    if (claim === 'refused' || claim === 'not-copied') {
      if (claim === 'not-copied') await free(String(given[member]));
      await release();
      throw unusable(member);
    }
    claims.push(claim);
    members[member] = claim.key;
  }
  const conditions = claims.map(({ uploadId }) => claimStands(uploadId, claimant.record));
  return { members, conditions, release };
}

/** After a write that may have taken a record's uploads from it. A failure delays the end of the objects by a day. */
export async function recordChanged(resource: Resource, id: string): Promise<void> {
  if (hasUploads(resource)) await lookAgain(recordName(resource, id)).catch(leaveToSweep);
}

/** An operator names the key of an object that a record uses, or used a short time ago. Throws INVALID_INPUT. */
export async function lockNamedUploads(
  resource: Resource,
  members: Readonly<Record<string, unknown>>,
  transaction: Transaction,
): Promise<void> {
  for (const { member } of uploadColumns(resource)) {
    const key = members[member] ?? null;
    if (key !== null && !(await lockKept(String(key), transaction))) throw unusable(member);
  }
}
