import { readFileSync } from 'node:fs';

/** A mistake as a patch, and the test or command that must fail because of it. */
export interface Mutant {
  patch: string;
  mistake: string;
  killer: TestKiller | CommandKiller;
  /** A part of the failure's message: a killer that fails for another reason has not found the mistake. */
  says: string;
}

export interface TestKiller {
  kind: 'test';
  file: string;
  /** A part of the test's full name. */
  title: string;
}

export interface CommandKiller {
  kind: 'command';
  command: string;
}

/** Why the mutant was not judged: its patch is wrong, or its killer neither passed nor failed. */
export class NotJudged {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/**
 * Reads a unified diff after a head of these lines:
 *   # mistake: one sentence
 *   # killed by: test/house/rooms.test.ts "a part of the test's name"      or: # killed by: `npx tsc -p .`
 *   # says: a part of the failure (required for a command)
 */
export function readMutant(patch: string): Mutant | NotJudged {
  const [head = ''] = readFileSync(patch, 'utf8').split(/^(?:diff |--- )/m);
  const line = (label: string): string => new RegExp(`^# ${label}: (.+)$`, 'm').exec(head)?.[1]?.trim() ?? '';
  const [mistake, killedBy, says] = [line('mistake'), line('killed by'), line('says')];
  const [, file, title] = /^(\S+) "(.+)"$/.exec(killedBy) ?? [];
  const [, command] = /^`(.+)`$/.exec(killedBy) ?? [];
  if (mistake === '') return new NotJudged('its head has no line "# mistake: ..."');
  if (file && title) return { patch, mistake, killer: { kind: 'test', file, title }, says };
  if (!command) return new NotJudged('its head has no line "# killed by: FILE "TITLE"" or "# killed by: `COMMAND`"');
  if (says === '') return new NotJudged('a command may fail for many reasons: the head needs a line "# says: ..."');
  return { patch, mistake, killer: { kind: 'command', command }, says };
}
