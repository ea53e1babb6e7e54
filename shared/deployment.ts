import { isSet, stage as stageOfFunctions } from './config.ts';
import { masterKeyIds, refuseSealing, seal, sealedUnder, unseal } from './master-key.ts';

/**
 * Operators' tools and servers compare what they were given with what the database says about itself, before they do
 * anything: the stage, which is a part of every Redis key, and the master key. A forgotten or wrong value would
 * otherwise act on nothing, and report success. Functions do not import this file.
 */

/** The message is a sentence for the operator, and says what to do. */
export class DeploymentError extends Error {
  override readonly name = 'DeploymentError';
}

/** Runs one statement; `query` of db.ts, or the connection of `npm run db`. */
type RunStatement = (sql: string, values?: Array<string | null>) => Promise<Record<string, unknown>[]>;

const PROBE = 'mpc:master-key-probe';
const CONTEXT = 'deployment';

interface Recorded {
  stage: string;
  probe: string | null;
}

async function readDeployment(run: RunStatement): Promise<Recorded | null> {
  const [row] = await run('SELECT stage, master_key_probe FROM deployment WHERE id = 1');
  return row ? { stage: String(row.stage), probe: row.master_key_probe as string | null } : null;
}

/** null: no stage is recorded. The table must exist. */
export const recordedStage = async (run: RunStatement): Promise<string | null> =>
  (await readDeployment(run))?.stage ?? null;

function checkName(stage: string): void {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(stage)) return;
  throw new DeploymentError('the name of a stage (STAGE) is 1 to 64 of A-Z a-z 0-9 _ -');
}

/** The first stage that is recorded stays. Throws DeploymentError if it is another one. */
export async function recordStage(run: RunStatement, stage: string): Promise<void> {
  checkName(stage);
  await run('INSERT IGNORE INTO deployment (id, stage) VALUES (1, ?)', [stage]);
  compareStages((await recordedStage(run)) ?? stage, stage);
}

/** For a copy of another stage's database. Throws DeploymentError. */
export async function replaceStage(run: RunStatement, stage: string): Promise<void> {
  checkName(stage);
  await run('INSERT INTO deployment (id, stage) VALUES (1, ?) ON DUPLICATE KEY UPDATE stage = VALUES(stage)', [stage]);
}

/** Throws DeploymentError if the stages differ. `given` undefined: STAGE is not set, which means `dev`. */
export function compareStages(recorded: string, given: string | undefined): void {
  if (recorded === (given ?? 'dev')) return;
  const what = given === undefined ? 'STAGE is not set' : `STAGE is ${given}`;
  throw new DeploymentError(
    `This database belongs to stage ${recorded}, and ${what}: nothing was done. Set STAGE=${recorded} and the other ` +
      `variables of that stage, or name the database of stage ${given ?? 'dev'}. For a copy of another stage's ` +
      'database: "npm run db -- stage --set NAME".',
  );
}

/**
 * Compares the stage and, if MASTER_KEY is set, the master key, with one statement when both are right. `isServer`: the
 * caller is the stage itself, so it records what nobody recorded before. A tool records only a stage that the operator
 * named, or the first use of an empty database. Throws DeploymentError; what `run` throws, also for missing tables.
 */
export async function proveDeployment(
  run: RunStatement,
  { isServer = false, anyKey = false }: { isServer?: boolean; anyKey?: boolean } = {},
): Promise<void> {
  const given = isSet('STAGE') ? stageOfFunctions() : undefined;
  const recorded = (await readDeployment(run)) ?? (await recordFirst(run, given, isServer));
  compareStages(recorded.stage, given);
  refuseSealing(undefined);
  if (isSet('MASTER_KEY') && !anyKey) await proveMasterKey(run, recorded.probe);
}

async function recordFirst(run: RunStatement, given: string | undefined, isServer: boolean): Promise<Recorded> {
  const isUsed = given === undefined && !isServer && (await run('SELECT app_id FROM apps LIMIT 1')).length > 0;
  if (isUsed) {
    throw new DeploymentError(
      'This database does not say which stage it belongs to, and STAGE is not set: nothing was done. Set STAGE, or ' +
        'record it once: STAGE=<stage> npm run db -- migrate',
    );
  }
  await recordStage(run, stageOfFunctions());
  return { stage: stageOfFunctions(), probe: null };
}

/**
 * Proves MASTER_KEY by a text that the right key sealed; before there is one, by the newest key of an app. The first
 * key of a database without secrets is recorded. While only MASTER_KEY_OLD opens the text, a change of the key is in
 * progress: nothing is sealed until `master-key reseal`.
 */
async function proveMasterKey(run: RunStatement, probe: string | null): Promise<void> {
  const sealed = probe ?? (await newestSealedKey(run));
  const { current, former } = masterKeyIds();
  const sealedBy = sealed === null ? current : sealedUnder(sealed);
  if (![current, ...former].includes(sealedBy) || (probe !== null && !opens(probe))) {
    throw new DeploymentError(
      `MASTER_KEY (key ${current}) is not the master key of this database (key ${sealedBy}): nothing was done. Set ` +
        'the MASTER_KEY of this stage. If the key was changed, put the former one into MASTER_KEY_OLD and run ' +
        '"master-key reseal". If it is lost: "master-key accept".',
    );
  }
  if (sealedBy !== current) {
    refuseSealing(
      `The master key of this database is ${sealedBy}, which is in MASTER_KEY_OLD, and MASTER_KEY is ${current}. If ` +
        'the functions have this MASTER_KEY, run "master-key reseal" first.',
    );
  } else if (probe === null) await recordProbe(run, 'AND master_key_probe IS NULL');
}

/** From now on MASTER_KEY is the master key of this database. Call it before secrets are sealed again under it. */
export async function acceptMasterKey(run: RunStatement): Promise<void> {
  refuseSealing(undefined);
  await recordProbe(run);
}

async function recordProbe(run: RunStatement, condition = ''): Promise<void> {
  await run(`UPDATE deployment SET master_key_probe = ? WHERE id = 1 ${condition}`, [seal(PROBE, CONTEXT)]);
}

function opens(probe: string): boolean {
  try {
    return unseal(probe, CONTEXT) === PROBE;
  } catch {
    return false;
  }
}

/** For a database that is older than its probe. null: no app has a key. */
async function newestSealedKey(run: RunStatement): Promise<string | null> {
  const [row] = await run('SELECT sealed_key FROM app_keys ORDER BY created_at DESC, app_id LIMIT 1');
  return row ? String(row.sealed_key) : null;
}
