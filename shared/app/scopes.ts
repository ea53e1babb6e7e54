import { AppError } from '../errors.ts';
import { SESSION_METHOD } from './access-token.ts';
import { changeApp } from './admin.ts';
import type { Scope } from './app.ts';
import { isServerScope, neededByOpenings, readSide } from './public-app.ts';

interface ScopeChange {
  add: readonly Scope[];
  remove: readonly Scope[];
}

/**
 * Gives an app scopes, and takes others from it; returns those that it has then. Running functions know the change
 * within 60 s. Throws NOT_FOUND; INVALID_INPUT for a scope of servers where the app
 * is public, and for one that an opened route needs.
 */
export function changeScopes(appId: string, { add, remove }: ScopeChange, actor: string): Promise<string[]> {
  const change = { actor, action: 'app.scopes', subject: appId, detail: { add, remove } };
  return changeApp('loosens', change, async (transaction) => {
    const { methods, scopes } = await readSide(transaction, appId);
    const refused = methods.includes(SESSION_METHOD) ? add.filter(isServerScope) : [];
    if (refused.length > 0) {
      throw new AppError('INVALID_INPUT', `This app is public, and only servers may have ${refused.join(', ')}.`);
    }
    const needed = neededByOpenings(scopes).filter((scope) => remove.includes(scope));
    if (needed.length > 0) {
      const sentence = `What is open before a login needs ${needed.join(', ')}: shut it first with "app public --open".`;
      throw new AppError('INVALID_INPUT', sentence);
    }
    const removed = new Set<string>(remove);
    const after = [...new Set([...scopes, ...add])].filter((scope) => !removed.has(scope));
    await transaction.write('UPDATE apps SET scopes = ?, version = version + 1 WHERE app_id = ?', [
      after.join(','),
      appId,
    ]);
    return after;
  });
}
