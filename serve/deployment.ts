import { query } from '../shared/db.ts';
import { DeploymentError, proveDeployment } from '../shared/deployment.ts';
import { EngineError, SqlError } from '../shared/errors.ts';
import { SettingsError } from './settings.ts';

const NO_SUCH_TABLE = 1146;

/**
 * Refuses to serve with the stage or the master key of another deployment: every call would be answered 403. If MySQL
 * does not answer, it serves unproven, because a restart must not wait for MySQL. Throws SettingsError.
 */
export async function refuseForeignDatabase(log: (line: string) => void): Promise<void> {
  try {
    await proveDeployment(query, { isServer: true });
  } catch (error) {
    if (error instanceof DeploymentError) throw new SettingsError(error.message);
    if (error instanceof SqlError && error.errno === NO_SUCH_TABLE) {
      throw new SettingsError('Tables are missing in this database. Run "npm run db -- migrate" first.');
    }
    if (!(error instanceof EngineError)) throw error;
    log(`stage and master key are not proven: ${error.message}`);
  }
}
