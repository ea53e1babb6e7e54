import { DataFolderError } from '../local/data-folder.ts';
import { ConfigError } from '../shared/config.ts';
import { AppError, ContentionError, EngineError, SqlError } from '../shared/errors.ts';
import { SealError } from '../shared/master-key.ts';
import { PluginAdminError } from '../shared/plugin/admin.ts';
import { UsageError } from './command.ts';
import { EnvironmentError } from './environment.ts';

const ER_NO_SUCH_TABLE = 1146;
const SPOKEN = [UsageError, EnvironmentError, DataFolderError, ConfigError, SealError, PluginAdminError];

/** What an operator is told of a failure: what it was and what to do, and nothing an engine said. */
export function sentenceFor(error: unknown): string {
  if (error instanceof AppError) return appSentence(error);
  if (error instanceof ContentionError) return 'Another change stood in the way; nothing was changed. Try again.';
  if (error instanceof EngineError) return engineSentence(error);
  if (error instanceof SqlError) {
    return error.errno === ER_NO_SUCH_TABLE
      ? 'Tables are missing there. Run "npm run db -- migrate" first.'
      : `The database refused a statement (error ${error.errno}); nothing was changed.`;
  }
  if (error instanceof Error && SPOKEN.some((kind) => error instanceof kind)) return error.message;
  return unforeseen(error);
}

function appSentence({ code, detail, refusal }: AppError): string {
  const errors = (refusal.errors ?? []).map(({ path, message }) => `${path || 'the whole'}: ${message}`);
  if (errors.length > 0) return `The input is not as it should be. ${errors.join('; ')}`;
  if (detail) return detail;
  switch (code) {
    case 'NOT_FOUND':
      return 'There is no such thing here.';
    case 'INVALID_KEY':
      return 'An id is a whole number from 1 to 9999999999999999.';
    default:
      return `Refused: ${code}.`;
  }
}

function engineSentence({ engine, reason, outcome }: EngineError): string {
  const name = engine === 'redis' ? 'Redis' : 'The database';
  const what = `${name} did not do it (${reason}). Check that it runs and that its address and token are right`;
  return outcome === 'unknown'
    ? `${what}. Whether the change was made is not known: look with list or show before you try again.`
    : `${what}; then try again.`;
}

/** A fault of ours: class and place help to mend it, a message could hold data. */
function unforeseen(error: unknown): string {
  const place = error instanceof Error ? /\n\s+at (.*)/.exec(error.stack ?? '')?.[1] : undefined;
  return `This should not have happened: ${error instanceof Error ? error.name : typeof error}${place ? ` at ${place}` : ''}.`;
}
