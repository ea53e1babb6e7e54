import { DataFolderError } from '../local/data-folder.ts';
import { MergeRefused } from '../shared/account/merge.ts';
import { ConfigError } from '../shared/config.ts';
import { DeploymentError } from '../shared/deployment.ts';
import { AppError, ContentionError, EngineError, SqlError } from '../shared/errors.ts';
import { SealError } from '../shared/master-key.ts';
import { PluginAdminError } from '../shared/plugin/admin.ts';
import { BillRefused } from '../shared/recharge/books/bill.ts';
import { UsageError } from './command.ts';
import { EnvironmentError } from './environment.ts';
import { placeOf } from './source-place.ts';

const ER_NO_SUCH_TABLE = 1146;
/** Errors whose messages are written for operators. */
const OPERATOR_ERRORS = [
  UsageError,
  EnvironmentError,
  DataFolderError,
  DeploymentError,
  ConfigError,
  SealError,
  PluginAdminError,
  MergeRefused,
  BillRefused,
];

/** The sentence for the operator about a failure, and what to do. It never contains the message of an engine. */
export function sentenceFor(error: unknown): string {
  if (error instanceof AppError) return appSentence(error);
  if (error instanceof ContentionError) return 'Another change ran at the same time; nothing was changed. Try again.';
  if (error instanceof EngineError) return engineSentence(error);
  if (error instanceof SqlError) {
    return error.errno === ER_NO_SUCH_TABLE
      ? 'Tables are missing in this database. Run "npm run db -- migrate" first.'
      : `The database refused a statement (error ${error.errno}); nothing was changed.`;
  }
  if (error instanceof Error && OPERATOR_ERRORS.some((kind) => error instanceof kind)) return error.message;
  return unforeseen(error);
}

function appSentence({ code, detail, refusal }: AppError): string {
  const errors = (refusal.errors ?? []).map(({ path, message }) => `${path || 'the input'}: ${message}`);
  if (errors.length > 0) return `The input is not valid. ${errors.join('; ')}`;
  if (detail) return detail;
  switch (code) {
    case 'NOT_FOUND':
      return 'It does not exist here.';
    case 'INVALID_KEY':
      return 'An id is a whole number from 1 to 9999999999999999.';
    default:
      return `Refused: ${code}.`;
  }
}

function engineSentence({ engine, reason, outcome }: EngineError): string {
  const name = engine === 'redis' ? 'Redis' : 'the database';
  const what = `A request to ${name} failed (${reason}). Check that ${name} runs, and that its address and token are correct`;
  return outcome === 'unknown'
    ? `${what}. It is not known whether the change was made: check with list or show before you try again.`
    : `${what}; then try again.`;
}

/** A bug. Class and place are printed, to find it. The message is not: it could contain data. */
function unforeseen(error: unknown): string {
  const place = error instanceof Error ? placeOf(error) : undefined;
  return `This is a bug: ${error instanceof Error ? error.name : typeof error}${place ? ` at ${place}` : ''}.`;
}
