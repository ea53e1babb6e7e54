import { vi } from 'vitest';
import { createApp, NEW_METHODS } from '../../shared/app/admin.ts';
import { SCOPES } from '../../shared/app/app.ts';
import { atEndOfFile } from './end-of-file.ts';
import { ruleBreakers } from './engine-dump.ts';
import { type SignedRequest, startTestStack, type TestAnswer, type TestApp, type TestStack } from './stack.ts';
// Importing the functions registers their key families.
import '../../functions/business.ts';
import '../../functions/cache-warm.ts';
import '../../functions/account/index.ts';
import '../../functions/login/index.ts';
import '../../functions/plugin-token.ts';
import '../../functions/plugin-validation.ts';
import '../../functions/recharge/index.ts';
import '../../functions/recharge-sweep.ts';
import '../../functions/wechat-push/index.ts';
import '../../functions/own-records.ts';
import '../../functions/uploads.ts';
import '../../functions/upload-sweep.ts';

/** The service, a record of all its output, and a list of the secrets that this output must not contain. */
export interface SecretStory {
  stack: TestStack;
  /** An app with every scope, as the portal issues it. */
  app: TestApp;
  /** Log lines, console and both output streams. */
  output: string[];
  /** Bodies and headers of all answers. */
  answers: string[];
  /** Each secret under its kind and a number. */
  secrets: Map<string, string>;
  /** Keys of Redis that broke a rule at any time. */
  broken: string[];
  keep<T extends string>(what: string, secret: T): T;
  /** One call; its access_token is a secret too. */
  call(method: string, path: string, request?: SignedRequest, caller?: TestApp): Promise<TestAnswer>;
  /** The secrets that a text contains, in plain form, in base64 or percent-encoded. */
  found(text: string): string[];
}

export async function startSecretStory(): Promise<SecretStory> {
  const output: string[] = [];
  const answers: string[] = [];
  const broken: string[] = [];
  const secrets = new Map<string, string>();
  recordOutput(output);
  const stack = await startTestStack({ seeded: true, env: { LOG: 'on' }, log: (line) => output.push(line) });

  function keep<T extends string>(what: string, secret: T): T {
    secrets.set(`${what} ${secrets.size}`, secret);
    return secret;
  }
  for (const [name, value] of Object.entries(stack.env)) {
    if (/_KEY$|TOKEN$|SECRET$/.test(name)) keep(name, value);
    if (name === 'DATABASE_URL') keep('database password', decodeURIComponent(new URL(value).password));
  }
  const story = { name: 'story', methods: NEW_METHODS, scopes: SCOPES, clientSpend: 'free' } as const;
  const wanted = { ...story, plugins: null, validates: null };
  const app = await createApp(wanted, 'test');
  keep('privateKey', app.privateKey);

  const call: SecretStory['call'] = async (method, path, request = {}, caller = app) => {
    const { body, query } = request;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const headers = stack.sign(caller, method, path, request);
    keep('access_token', headers['access-token'] ?? '');
    const answer = await stack.send(method, query ? `${path}?${query}` : path, headers, text);
    answers.push(`${answer.text} ${JSON.stringify([...answer.headers])}`);
    broken.push(...(await ruleBreakers(stack.redis)));
    return answer;
  };
  const found = (text: string): string[] =>
    [...secrets].flatMap(([what, secret]) => (formsOf(secret).some((form) => text.includes(form)) ? [what] : []));
  return { stack, app, output, answers, secrets, broken, keep, call, found };
}

const formsOf = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  encodeURIComponent(secret),
];

function recordOutput(output: string[]): void {
  const restored: Array<() => void> = [];
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    const spy = vi.spyOn(console, name).mockImplementation((...said) => void output.push(said.map(String).join(' ')));
    restored.push(() => spy.mockRestore());
  }
  for (const stream of [process.stdout, process.stderr]) {
    const spy = vi.spyOn(stream, 'write').mockImplementation((said) => output.push(String(said)) > 0);
    restored.push(() => spy.mockRestore());
  }
  atEndOfFile(() => {
    for (const restore of restored) restore();
  });
}
